-- Keeps who is richest, when the last time was long enough ago.
-- $1: a JSON array of one {position, every, most}: where the log is, how far after the last one, and how many accounts.
INSERT INTO coins_tops (position, rank, account_id, balance)
SELECT wanted.position, row_number() OVER (ORDER BY richest.balance DESC, richest.account_id), richest.account_id,
       richest.balance
FROM json_to_recordset($1::json) AS wanted (position bigint, every bigint, most bigint)
CROSS JOIN LATERAL (
    SELECT account_id, balance
    FROM coins_standings
    ORDER BY balance DESC, account_id
    LIMIT CASE WHEN wanted.position >= wanted.every + coalesce((SELECT max(position) FROM coins_tops), 0)
          THEN wanted.most ELSE 0 END
) AS richest;
