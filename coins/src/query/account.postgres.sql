-- One account, if it has ever had an event. $1: its id.
SELECT account_id, balance, mined, sent, received, last_nonce
FROM coins_accounts
WHERE account_id = $1;
