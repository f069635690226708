-- The richest accounts as the log ended at a position: most coins first, the smallest account id among equals.
-- $1: the position; $2: how many.
-- Who was richest at the last position before it for which that is kept, unless something happened to them since; and to
-- whom something happened since, with what they had then.
WITH since AS MATERIALIZED (
    SELECT coalesce(max(position), 0) AS position FROM coins_tops WHERE position <= $1
),
moved AS MATERIALIZED (
    SELECT DISTINCT ON (account_id) account_id, balance
    FROM coins_statements
    WHERE position > (SELECT position FROM since) AND position <= $1
    ORDER BY account_id, position DESC
)
SELECT account_id, balance
FROM (
    SELECT account_id, balance FROM moved
    UNION ALL
    (SELECT account_id, balance
     FROM coins_tops AS top
     WHERE position = (SELECT position FROM since)
       AND NOT EXISTS (SELECT FROM moved WHERE moved.account_id = top.account_id)
     ORDER BY rank
     LIMIT $2)
) AS standing
ORDER BY balance DESC, account_id
LIMIT $2;
