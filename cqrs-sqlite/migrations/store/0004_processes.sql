-- Process managers: instances that get stuck, states with a schema version, and what operators look for.

-- As before, with more to know of each: where the log has its first and last event (0 when that was not written down),
-- and why it does not go on. An instance that got stuck at its first event has no state.
CREATE TABLE process_instances_new (
    process        TEXT    NOT NULL,
    instance       TEXT    NOT NULL,
    state          TEXT,
    schema_version INTEGER NOT NULL,
    finished       INTEGER NOT NULL,
    first          INTEGER NOT NULL,
    last           INTEGER NOT NULL,
    stuck_at       INTEGER, -- the position of the first event that it has not taken
    stuck_chain    BLOB,    -- the causal chain of that event
    stuck_error    TEXT,
    PRIMARY KEY (process, instance)
) WITHOUT ROWID;

INSERT INTO process_instances_new (process, instance, state, schema_version, finished, first, last)
SELECT process, instance, state, 1, finished, 0, 0 FROM process_instances;

DROP TABLE process_instances;
ALTER TABLE process_instances_new RENAME TO process_instances;

-- What has not come to its end, among all the tombstones.
CREATE INDEX process_instances_running ON process_instances (process, instance)
    WHERE finished = 0 AND stuck_at IS NULL;
CREATE INDEX process_instances_stuck ON process_instances (process, instance) WHERE stuck_at IS NOT NULL;
CREATE INDEX process_instances_stuck_by_chain ON process_instances (stuck_chain) WHERE stuck_at IS NOT NULL;

-- The outbox has a fourth state, 3: dropped by an operator at done_at.

-- What an instance has asked for.
DROP INDEX outbox_by_instance;
CREATE INDEX outbox_by_instance ON outbox (process, instance);
-- Which commands hold up the later ones of their instance, when they are due: few of many.
CREATE INDEX outbox_in_the_way ON outbox (process, instance)
    WHERE kind = 0 AND (state = 2 OR state = 0 AND retry_at > due_at);
-- What is pending, in the order in which it was asked for.
CREATE INDEX outbox_pending_in_order ON outbox (seq, retry_at) WHERE state = 0;
CREATE INDEX outbox_parked ON outbox (seq) WHERE state = 2;
-- What can be pruned.
DROP INDEX outbox_done;
CREATE INDEX outbox_done ON outbox (done_at) WHERE done_at IS NOT NULL;
