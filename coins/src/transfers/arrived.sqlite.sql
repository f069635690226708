-- Transfers that have come to their end. ?1: a JSON array of {transfer_id, from, at}.
UPDATE coins_transfers
SET arrived_at = arrived.value ->> 'at'
FROM json_each(?1) AS arrived
WHERE transfer_id = arrived.value ->> 'transfer_id' AND sender = arrived.value ->> 'from';
