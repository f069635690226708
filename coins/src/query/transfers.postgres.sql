-- Transfers, the newest first. $1: only those of this account, or NULL; $2: only those before this position;
-- $3: whether only those that are under way; $4: how many.
-- One part for each index that serves the order, so that a page costs what it has and not what the table has; and each with
-- its own limit, which the planner does not carry there from the end. What is under way is little, and is looked through for
-- an account's.
SELECT position, transfer_id::text, sender, receiver, amount, sent_at, arrived_at
FROM (
    (SELECT * FROM coins_transfers
     WHERE $1::text IS NULL AND NOT $3 AND position < $2
     ORDER BY position DESC
     LIMIT $4)
    UNION ALL
    (SELECT * FROM coins_transfers
     WHERE $3 AND arrived_at IS NULL AND position < $2 AND ($1::text IS NULL OR sender = $1 OR receiver = $1)
     ORDER BY position DESC
     LIMIT $4)
    UNION ALL
    (SELECT * FROM coins_transfers
     WHERE NOT $3 AND sender = $1 AND position < $2
     ORDER BY position DESC
     LIMIT $4)
    UNION ALL
    (SELECT * FROM coins_transfers
     WHERE NOT $3 AND receiver = $1 AND sender <> $1 AND position < $2
     ORDER BY position DESC
     LIMIT $4)
) AS found
ORDER BY position DESC
LIMIT $4;
