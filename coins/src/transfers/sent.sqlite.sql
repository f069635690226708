-- Transfers that have begun. ?1: a JSON array of {position, transfer_id, from, to, amount, at}.
INSERT INTO coins_transfers (position, transfer_id, sender, receiver, amount, sent_at)
SELECT value ->> 'position', value ->> 'transfer_id', value ->> 'from', value ->> 'to', value ->> 'amount',
       value ->> 'at'
FROM json_each(?1);
