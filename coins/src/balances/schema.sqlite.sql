-- What every account has. The projection account-balances keeps it; whatever is here can be made again
-- from the events.
CREATE TABLE IF NOT EXISTS coins_accounts (
    account_id TEXT    NOT NULL PRIMARY KEY,
    -- SQLite turns an integer that overflows into a float; the checks on the type refuse that, so coins are
    -- never rounded. The balance is redundant for the index below, and held to what it follows from.
    balance    INTEGER NOT NULL CHECK (typeof(balance) = 'integer' AND balance >= 0
                                       AND balance = mined - sent + received),
    mined      INTEGER NOT NULL CHECK (typeof(mined) = 'integer'),
    sent       INTEGER NOT NULL CHECK (typeof(sent) = 'integer'),
    received   INTEGER NOT NULL CHECK (typeof(received) = 'integer'),
    -- A nonce goes up to 2^64 - 1, which an INTEGER cannot hold. NULL before the first coin is mined.
    last_nonce TEXT             CHECK (typeof(last_nonce) IN ('text', 'null'))
) WITHOUT ROWID;

-- The order of the richest: most coins first, the smallest account id among equals.
CREATE INDEX IF NOT EXISTS coins_accounts_by_balance ON coins_accounts (balance DESC, account_id);
