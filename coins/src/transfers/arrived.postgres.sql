-- Transfers that have come to their end. $1: a JSON array of {transfer_id, from, at}.
UPDATE coins_transfers
SET arrived_at = arrived.at
FROM json_to_recordset($1::json) AS arrived (transfer_id uuid, "from" text COLLATE "C", at bigint)
WHERE coins_transfers.transfer_id = arrived.transfer_id AND coins_transfers.sender = arrived."from";
