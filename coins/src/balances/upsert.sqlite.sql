-- Adds what a batch of events changes, one row for each account.
--
-- The new values are computed here and not in the DO UPDATE: SQLite checks the constraints of the row that
-- it would insert before it looks for a conflict, and a row that only has the change may be negative.
--
-- ?1: a JSON array of {account_id, mined, sent, received, last_nonce}; last_nonce is a text or null.
WITH change AS (
    SELECT value ->> 'account_id' AS account_id,
           value ->> 'mined'      AS mined,
           value ->> 'sent'       AS sent,
           value ->> 'received'   AS received,
           value ->> 'last_nonce' AS last_nonce
    FROM json_each(?1)
)
INSERT INTO coins_accounts (account_id, balance, mined, sent, received, last_nonce)
SELECT change.account_id,
       -- In this order: a sum of two large numbers before the difference could overflow.
       coalesce(old.balance, 0) - change.sent + change.mined + change.received,
       coalesce(old.mined, 0) + change.mined,
       coalesce(old.sent, 0) + change.sent,
       coalesce(old.received, 0) + change.received,
       coalesce(change.last_nonce, old.last_nonce)
FROM change
LEFT JOIN coins_accounts AS old ON old.account_id = change.account_id
-- SQLite needs a WHERE between a join and ON CONFLICT to tell the two meanings of ON apart.
WHERE true
ON CONFLICT (account_id) DO UPDATE
SET balance    = excluded.balance,
    mined      = excluded.mined,
    sent       = excluded.sent,
    received   = excluded.received,
    last_nonce = excluded.last_nonce;
