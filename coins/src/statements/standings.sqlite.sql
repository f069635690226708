-- Moves accounts to where their statements end. ?1: a JSON array of their ids.
INSERT INTO coins_standings (account_id, balance)
SELECT account.value,
       (SELECT last.balance
        FROM coins_statements AS last
        WHERE last.account_id = account.value
        ORDER BY last.version DESC
        LIMIT 1)
FROM json_each(?1) AS account
-- SQLite needs a WHERE between a join and ON CONFLICT to tell the two meanings of ON apart.
WHERE true
ON CONFLICT (account_id) DO UPDATE
SET balance = excluded.balance;
