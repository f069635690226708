-- How far each event handler has come.
CREATE TABLE handlers (
    name       text COLLATE "C" PRIMARY KEY,
    revision   bigint   NOT NULL, -- counts the steps
    read_to    bigint   NOT NULL,
    watermarks bigint[] NOT NULL  -- one position for each partition
);

-- The events that handlers hold back. An event of the log may have several parts.
-- Texts that anybody may have written have their backslashes doubled, and \0 for the character that text cannot hold.
CREATE TABLE parked_events (
    handler    text COLLATE "C" NOT NULL,
    position   bigint   NOT NULL,
    part       bigint   NOT NULL,
    event      uuid     NOT NULL,
    key        text COLLATE "C" NOT NULL,
    attempts   bigint   NOT NULL,
    last_error text,
    at         bigint   NOT NULL, -- microseconds since 1970
    state      smallint NOT NULL, -- 0 waiting, 1 parked, 2 to be retried, 3 to be dropped
    PRIMARY KEY (handler, position, part)
);

-- The events of a key, and the first one of each. By a hash, since a key may be longer than an index holds.
CREATE INDEX parked_events_by_key ON parked_events (handler, hashtextextended(key, 0), position, part);
-- What an operator has marked, which a running handler looks for again and again.
CREATE INDEX parked_events_marked ON parked_events (handler, position, part) WHERE state >= 2;
