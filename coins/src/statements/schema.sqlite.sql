-- What happened to each account, with what it had afterwards. The projection account-statements keeps it; whatever
-- is here can be made again from the events.
CREATE TABLE IF NOT EXISTS coins_statements (
    account_id  TEXT    NOT NULL,
    version     INTEGER NOT NULL,
    position    INTEGER NOT NULL,
    at          INTEGER NOT NULL, -- microseconds since 1970
    -- What came in, or went out with a minus; and what there was then. SQLite turns an integer that overflows into a
    -- float; the checks on the type refuse that, so coins are never rounded.
    change      INTEGER NOT NULL CHECK (typeof(change) = 'integer'),
    balance     INTEGER NOT NULL CHECK (typeof(balance) = 'integer' AND balance >= 0),
    -- Of a mined coin; as text, since a nonce goes up to 2^64 - 1.
    nonce       TEXT,
    -- Of a transfer: whom it went to or came from.
    other       TEXT,
    transfer_id TEXT,
    PRIMARY KEY (account_id, version)
) WITHOUT ROWID;

-- What happened between two positions of the log, from the index alone.
CREATE INDEX IF NOT EXISTS coins_statements_in_log ON coins_statements (position, account_id, balance);

-- What each account has, and who is richest.
CREATE TABLE IF NOT EXISTS coins_standings (
    account_id TEXT    NOT NULL PRIMARY KEY,
    balance    INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS coins_standings_by_balance ON coins_standings (balance DESC, account_id);

-- The richest accounts at some positions of the log, so many that whatever happens until the next of these positions,
-- the richest are still among them or among those to whom it happens. The leaderboard of any position is made of both.
CREATE TABLE IF NOT EXISTS coins_tops (
    position   INTEGER NOT NULL,
    rank       INTEGER NOT NULL,
    account_id TEXT    NOT NULL,
    balance    INTEGER NOT NULL,
    PRIMARY KEY (position, rank)
) WITHOUT ROWID;
