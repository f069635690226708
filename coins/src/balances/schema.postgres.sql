-- What every account has. The projection account-balances keeps it; whatever is here can be made again
-- from the events.
CREATE TABLE IF NOT EXISTS coins_accounts (
    -- By the bytes of UTF-8, as in Rust.
    account_id text COLLATE "C" PRIMARY KEY,
    -- The balance is redundant for the index below, and held to what it follows from.
    balance    bigint NOT NULL CHECK (balance >= 0 AND balance = mined - sent + received),
    mined      bigint NOT NULL,
    sent       bigint NOT NULL,
    received   bigint NOT NULL,
    -- A nonce goes up to 2^64 - 1, which a bigint cannot hold. NULL before the first coin is mined.
    last_nonce text
);

-- The order of the richest: most coins first, the smallest account id among equals.
CREATE INDEX IF NOT EXISTS coins_accounts_by_balance ON coins_accounts (balance DESC, account_id);
