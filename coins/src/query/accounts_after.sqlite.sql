-- The accounts behind one, in the order of the richest. ?1: its balance; ?2: its id; ?3: how many.
-- One part for those with as many coins and one for those with fewer, so that each is a range of the index: a page
-- costs what it has, and not what equals there are.
SELECT account_id, balance, mined, sent, received, last_nonce
FROM coins_accounts
WHERE balance = ?1 AND account_id > ?2
UNION ALL
SELECT account_id, balance, mined, sent, received, last_nonce
FROM coins_accounts
WHERE balance < ?1
ORDER BY balance DESC, account_id
LIMIT ?3;
