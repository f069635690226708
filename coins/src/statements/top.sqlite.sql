-- Keeps who is richest, when the last time was long enough ago.
-- ?1: a JSON array of one {position, every, most}: where the log is, how far after the last one, and how many accounts.
INSERT INTO coins_tops (position, rank, account_id, balance)
SELECT (SELECT value ->> 'position' FROM json_each(?1)),
       row_number() OVER (ORDER BY balance DESC, account_id), account_id, balance
FROM (
    SELECT account_id, balance
    FROM coins_standings
    ORDER BY balance DESC, account_id
    LIMIT (SELECT CASE WHEN value ->> 'position' >= value ->> 'every' + coalesce((SELECT max(position) FROM coins_tops), 0)
                  THEN value ->> 'most' ELSE 0 END
           FROM json_each(?1))
);
