-- Adds what a batch of events changes, one row for each account.
--
-- The new values are computed here and not in the DO UPDATE: PostgreSQL checks the constraints of the row that
-- it would insert before it looks for a conflict, and a row that only has the change may be negative.
--
-- $1: a JSON array of {account_id, mined, sent, received, last_nonce}; last_nonce is a text or null.
INSERT INTO coins_accounts (account_id, balance, mined, sent, received, last_nonce)
SELECT change.account_id,
       -- In this order: a sum of two large numbers before the difference could overflow.
       coalesce(old.balance, 0) - change.sent + change.mined + change.received,
       coalesce(old.mined, 0) + change.mined,
       coalesce(old.sent, 0) + change.sent,
       coalesce(old.received, 0) + change.received,
       coalesce(change.last_nonce, old.last_nonce)
FROM json_to_recordset($1::json)
     AS change (account_id text COLLATE "C", mined bigint, sent bigint, received bigint, last_nonce text)
LEFT JOIN coins_accounts AS old ON old.account_id = change.account_id
ON CONFLICT (account_id) DO UPDATE
SET balance    = excluded.balance,
    mined      = excluded.mined,
    sent       = excluded.sent,
    received   = excluded.received,
    last_nonce = excluded.last_nonce;
