-- An account's statement, the newest line first. ?1: which account; ?2: only lines before this version; ?3: how many.
SELECT version, position, at, change, balance, nonce, other, transfer_id
FROM coins_statements
WHERE account_id = ?1 AND version < ?2
ORDER BY version DESC
LIMIT ?3;
