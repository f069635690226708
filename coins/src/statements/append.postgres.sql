-- Continues the statements of some accounts.
-- $1: a JSON array of {account_id, version, position, at, change, nonce, other, transfer_id}.
INSERT INTO coins_statements
    (account_id, version, position, at, change, balance, nonce, other, transfer_id)
SELECT entry.account_id, entry.version, entry.position, entry.at, entry.change,
       coalesce((SELECT last.balance
                 FROM coins_statements AS last
                 WHERE last.account_id = entry.account_id
                 ORDER BY last.version DESC
                 LIMIT 1), 0)
           + sum(entry.change) OVER (PARTITION BY entry.account_id ORDER BY entry.version),
       entry.nonce, entry.other, entry.transfer_id
FROM json_to_recordset($1::json)
     AS entry (account_id text COLLATE "C", version bigint, position bigint, at bigint, change bigint, nonce text,
               other text, transfer_id uuid);
