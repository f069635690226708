-- Continues the statements of some accounts.
-- ?1: a JSON array of {account_id, version, position, at, change, nonce, other, transfer_id}, in the order of the log.
WITH entry AS (
    SELECT key,
           value ->> 'account_id'  AS account_id,
           value ->> 'version'     AS version,
           value ->> 'position'    AS position,
           value ->> 'at'          AS at,
           value ->> 'change'      AS change,
           value ->> 'nonce'       AS nonce,
           value ->> 'other'       AS other,
           value ->> 'transfer_id' AS transfer_id
    FROM json_each(?1)
)
INSERT INTO coins_statements
    (account_id, version, position, at, change, balance, nonce, other, transfer_id)
SELECT account_id, version, position, at, change,
       coalesce((SELECT last.balance
                 FROM coins_statements AS last
                 WHERE last.account_id = entry.account_id
                 ORDER BY last.version DESC
                 LIMIT 1), 0)
           + sum(change) OVER (PARTITION BY account_id ORDER BY key),
       nonce, other, transfer_id
FROM entry;
