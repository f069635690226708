-- Moves accounts to where their statements end. $1: a JSON array of their ids.
INSERT INTO coins_standings (account_id, balance)
SELECT account.id,
       (SELECT last.balance
        FROM coins_statements AS last
        WHERE last.account_id = account.id COLLATE "C"
        ORDER BY last.version DESC
        LIMIT 1)
FROM json_array_elements_text($1::json) AS account (id)
ON CONFLICT (account_id) DO UPDATE
SET balance = excluded.balance;
