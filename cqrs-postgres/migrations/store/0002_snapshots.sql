-- The newest snapshot of each stream that has one.
CREATE TABLE snapshots (
    stream         bigint PRIMARY KEY,
    version        bigint NOT NULL,
    schema_version bigint NOT NULL,
    state          text   NOT NULL
);
