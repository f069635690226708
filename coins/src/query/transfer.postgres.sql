-- Transfers with one id, each of another sender, the newest first. $1: the id.
SELECT position, transfer_id::text, sender, receiver, amount, sent_at, arrived_at
FROM coins_transfers
WHERE transfer_id = $1::uuid
ORDER BY position DESC;
