-- The richest accounts: most coins first, the smallest account id among equals (bytes of UTF-8, as in Rust).
-- $1: how many.
SELECT account_id, balance, mined, sent, received, last_nonce
FROM coins_accounts
ORDER BY balance DESC, account_id
LIMIT $1;
