-- Transfers, the newest first. ?1: only those of this account, or NULL; ?2: only those before this position;
-- ?3: whether only those that are under way; ?4: how many.
-- One part for each index that serves the order, so that a page costs what it has and not what the table has. What is
-- under way is little, and is looked through for an account's.
SELECT position, transfer_id, sender, receiver, amount, sent_at, arrived_at
FROM coins_transfers
WHERE ?1 IS NULL AND NOT ?3 AND position < ?2
UNION ALL
SELECT position, transfer_id, sender, receiver, amount, sent_at, arrived_at
FROM coins_transfers INDEXED BY coins_transfers_under_way
WHERE ?3 AND arrived_at IS NULL AND position < ?2 AND (?1 IS NULL OR sender = ?1 OR receiver = ?1)
UNION ALL
SELECT position, transfer_id, sender, receiver, amount, sent_at, arrived_at
FROM coins_transfers INDEXED BY coins_transfers_by_sender
WHERE NOT ?3 AND sender = ?1 AND position < ?2
UNION ALL
SELECT position, transfer_id, sender, receiver, amount, sent_at, arrived_at
FROM coins_transfers INDEXED BY coins_transfers_by_receiver
WHERE NOT ?3 AND receiver = ?1 AND sender <> ?1 AND position < ?2
ORDER BY position DESC
LIMIT ?4;
