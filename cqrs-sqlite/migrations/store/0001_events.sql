-- The log, and what stands beside it.

-- Streams by number: an index of integers costs a third of an index of names. A stream has no version
-- column, because its version is the highest one in events_by_stream.
CREATE TABLE streams (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
);

-- Event types by number. A type belongs to a category, so the type alone tells an event's category.
CREATE TABLE event_types (
    id       INTEGER PRIMARY KEY,
    category TEXT NOT NULL,
    name     TEXT NOT NULL,
    UNIQUE (category, name)
);

-- The log. What can be derived is NULL, which takes no room:
--   causation    NULL is the command that the event's id leads back to as its first event; x'' is none
--   correlation  NULL is the same as the causation; x'' is none
--   metadata     NULL is empty
-- Positions are given out by the writer, dense and under the write lock; so no AUTOINCREMENT.
CREATE TABLE events (
    position    INTEGER PRIMARY KEY,
    stream      INTEGER NOT NULL,
    version     INTEGER NOT NULL,
    type        INTEGER NOT NULL,
    id          BLOB    NOT NULL,
    data        TEXT    NOT NULL,
    causation   BLOB,
    correlation BLOB,
    metadata    TEXT,
    recorded_at INTEGER NOT NULL -- microseconds since 1970
);

CREATE UNIQUE INDEX events_by_stream ON events (stream, version);

-- Events are facts: nobody changes them, not even by hand.
CREATE TRIGGER events_are_not_updated BEFORE UPDATE ON events
BEGIN
    SELECT raise(ABORT, 'events are never updated');
END;

CREATE TRIGGER events_are_not_deleted BEFORE DELETE ON events
BEGIN
    SELECT raise(ABORT, 'events are never deleted');
END;

-- The first outcome of each command that asked to be remembered.
CREATE TABLE receipts (
    command_id BLOB    NOT NULL PRIMARY KEY,
    position   INTEGER NOT NULL,
    events     INTEGER NOT NULL,
    versions   TEXT    NOT NULL -- a JSON array, one version for each write
) WITHOUT ROWID;

-- How far each process manager has worked.
CREATE TABLE process_checkpoints (
    process  TEXT    NOT NULL PRIMARY KEY,
    position INTEGER NOT NULL
) WITHOUT ROWID;

-- The instances of process managers. A finished one stays, as a tombstone.
CREATE TABLE process_instances (
    process  TEXT    NOT NULL,
    instance TEXT    NOT NULL,
    state    TEXT    NOT NULL,
    finished INTEGER NOT NULL,
    PRIMARY KEY (process, instance)
) WITHOUT ROWID;

-- What process managers asked for, in the order in which they did.
CREATE TABLE outbox (
    seq         INTEGER PRIMARY KEY,
    id          BLOB    NOT NULL UNIQUE,
    process     TEXT    NOT NULL,
    instance    TEXT    NOT NULL,
    kind        INTEGER NOT NULL, -- 0 command, 1 deadline
    name        TEXT    NOT NULL,
    data        TEXT,             -- NULL for a deadline
    metadata    TEXT    NOT NULL,
    correlation BLOB,
    due_at      INTEGER NOT NULL,
    retry_at    INTEGER NOT NULL,
    attempts    INTEGER NOT NULL,
    last_error  TEXT,
    state       INTEGER NOT NULL, -- 0 pending, 1 done, 2 parked
    done_at     INTEGER,
    position    INTEGER           -- of the append that its command became
);

-- What is due; only pending tasks take room in it.
CREATE INDEX outbox_pending ON outbox (retry_at) WHERE state = 0;
-- Whether an earlier command of the same instance is in the way.
CREATE INDEX outbox_by_instance ON outbox (process, instance, seq) WHERE state <> 1;
-- How far a causal chain has come.
CREATE INDEX outbox_by_correlation ON outbox (correlation) WHERE correlation IS NOT NULL;
-- What can be pruned.
CREATE INDEX outbox_done ON outbox (done_at) WHERE state = 1;

-- How far each projection has worked whose read model is in this file.
CREATE TABLE projections (
    name     TEXT    NOT NULL PRIMARY KEY,
    position INTEGER NOT NULL
) WITHOUT ROWID;

-- A compare-and-set in the middle of several statements: INSERT INTO fence SELECT changes() stops them with
-- an error when the statement before it changed nothing. It stores nothing.
CREATE VIEW fence AS SELECT 0 AS changed WHERE false;

CREATE TRIGGER fence_stops INSTEAD OF INSERT ON fence WHEN NEW.changed = 0
BEGIN
    SELECT raise(ABORT, 'fenced');
END;
