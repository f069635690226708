-- Transfers that have begun. $1: a JSON array of {position, transfer_id, from, to, amount, at}.
INSERT INTO coins_transfers (position, transfer_id, sender, receiver, amount, sent_at)
SELECT sent.position, sent.transfer_id, sent."from", sent."to", sent.amount, sent.at
FROM json_to_recordset($1::json)
     AS sent (position bigint, transfer_id uuid, "from" text, "to" text, amount bigint, at bigint);
