-- What happened to each account, with what it had afterwards. The projection account-statements keeps it; whatever
-- is here can be made again from the events.
CREATE TABLE IF NOT EXISTS coins_statements (
    account_id  text COLLATE "C" NOT NULL,
    version     bigint NOT NULL,
    position    bigint NOT NULL,
    at          bigint NOT NULL, -- microseconds since 1970
    -- What came in, or went out with a minus; and what there was then.
    change      bigint NOT NULL,
    balance     bigint NOT NULL CHECK (balance >= 0),
    -- Of a mined coin; as text, since a nonce goes up to 2^64 - 1.
    nonce       text,
    -- Of a transfer: whom it went to or came from.
    other       text COLLATE "C",
    transfer_id uuid,
    PRIMARY KEY (account_id, version)
);

-- What happened between two positions of the log, from the index alone.
CREATE INDEX IF NOT EXISTS coins_statements_in_log ON coins_statements (position) INCLUDE (account_id, balance);

-- What each account has, and who is richest.
CREATE TABLE IF NOT EXISTS coins_standings (
    account_id text COLLATE "C" PRIMARY KEY,
    balance    bigint NOT NULL
);
CREATE INDEX IF NOT EXISTS coins_standings_by_balance ON coins_standings (balance DESC, account_id);

-- The richest accounts at some positions of the log, so many that whatever happens until the next of these positions,
-- the richest are still among them or among those to whom it happens. The leaderboard of any position is made of both.
CREATE TABLE IF NOT EXISTS coins_tops (
    position   bigint NOT NULL,
    rank       bigint NOT NULL,
    account_id text COLLATE "C" NOT NULL,
    balance    bigint NOT NULL,
    PRIMARY KEY (position, rank)
);
