-- How far each event handler has come.
CREATE TABLE handlers (
    name       TEXT    NOT NULL PRIMARY KEY,
    revision   INTEGER NOT NULL, -- counts the steps
    read_to    INTEGER NOT NULL,
    watermarks TEXT    NOT NULL  -- a JSON array, one position for each partition
) WITHOUT ROWID;

-- The events that handlers hold back. An event of the log may have several parts.
CREATE TABLE parked_events (
    handler    TEXT    NOT NULL,
    position   INTEGER NOT NULL,
    part       INTEGER NOT NULL,
    event      BLOB    NOT NULL,
    key        TEXT    NOT NULL,
    attempts   INTEGER NOT NULL,
    last_error TEXT,
    at         INTEGER NOT NULL, -- microseconds since 1970
    state      INTEGER NOT NULL, -- 0 waiting, 1 parked, 2 to be retried, 3 to be dropped
    PRIMARY KEY (handler, position, part)
) WITHOUT ROWID;

-- The events of a key, and the first one of each.
CREATE INDEX parked_events_by_key ON parked_events (handler, key, position, part);
-- What an operator has marked, which a running handler looks for again and again.
CREATE INDEX parked_events_marked ON parked_events (handler, position, part) WHERE state >= 2;
