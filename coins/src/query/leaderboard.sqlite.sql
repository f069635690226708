-- The richest accounts as the log ended at a position: most coins first, the smallest account id among equals.
-- ?1: the position; ?2: how many.
-- Who was richest at the last position before it for which that is kept, unless something happened to them since; and to
-- whom something happened since, with what they had then.
WITH since AS (
    SELECT coalesce(max(position), 0) AS position FROM coins_tops WHERE position <= ?1
),
moved AS MATERIALIZED (
    -- The balance is that of the line with the largest position, as SQLite has it.
    SELECT account_id, balance, max(position)
    FROM coins_statements INDEXED BY coins_statements_in_log
    WHERE position > (SELECT position FROM since) AND position <= ?1
    GROUP BY account_id
)
SELECT account_id, balance FROM moved
UNION ALL
SELECT account_id, balance
FROM (
    SELECT account_id, balance
    FROM coins_tops
    WHERE position = (SELECT position FROM since) AND account_id NOT IN (SELECT account_id FROM moved)
    ORDER BY rank
    LIMIT ?2
)
ORDER BY balance DESC, account_id
LIMIT ?2;
