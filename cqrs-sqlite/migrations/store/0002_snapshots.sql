-- The newest snapshot of each stream that has one.
CREATE TABLE snapshots (
    stream         INTEGER PRIMARY KEY,
    version        INTEGER NOT NULL,
    schema_version INTEGER NOT NULL,
    state          TEXT    NOT NULL
);
