-- How far each process manager has worked.
CREATE TABLE process_checkpoints (
    process  text COLLATE "C" PRIMARY KEY,
    position bigint NOT NULL
);

-- The instances of process managers. A finished one stays, as a tombstone. One that got stuck at its first event has no
-- state. The log has its first and last event where it says; 0 is unknown.
CREATE TABLE process_instances (
    process        text COLLATE "C" NOT NULL,
    instance       text COLLATE "C" NOT NULL,
    state          text,
    schema_version bigint  NOT NULL,
    finished       boolean NOT NULL,
    first          bigint  NOT NULL,
    last           bigint  NOT NULL,
    stuck_at       bigint, -- the position of the first event that it has not taken
    stuck_chain    uuid,   -- the causal chain of that event
    stuck_error    text,   -- escaped as in parked_events
    PRIMARY KEY (process, instance)
);

-- What has not come to its end, among all the tombstones.
CREATE INDEX process_instances_running ON process_instances (process, instance)
    WHERE NOT finished AND stuck_at IS NULL;
CREATE INDEX process_instances_stuck ON process_instances (process, instance) WHERE stuck_at IS NOT NULL;
CREATE INDEX process_instances_stuck_by_chain ON process_instances (stuck_chain) WHERE stuck_at IS NOT NULL;

-- What process managers asked for, in the order in which they did.
CREATE TABLE outbox (
    seq         bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    id          uuid     NOT NULL UNIQUE,
    process     text COLLATE "C" NOT NULL,
    instance    text COLLATE "C" NOT NULL,
    kind        smallint NOT NULL, -- 0 command, 1 deadline
    name        text     NOT NULL, -- escaped as in parked_events
    data        text,              -- NULL for a deadline
    metadata    text     NOT NULL,
    correlation uuid,
    due_at      bigint   NOT NULL,
    retry_at    bigint   NOT NULL,
    attempts    bigint   NOT NULL,
    last_error  text,              -- escaped as in parked_events
    state       smallint NOT NULL, -- 0 pending, 1 done, 2 parked, 3 dropped by an operator at done_at
    done_at     bigint,
    position    bigint             -- of the append that its command became
);

-- What is due, by time and in the order in which it was asked for; only pending tasks take room in these.
CREATE INDEX outbox_pending ON outbox (retry_at) WHERE state = 0;
CREATE INDEX outbox_pending_in_order ON outbox (seq, retry_at) WHERE state = 0;
-- Which commands hold up the later ones of their instance, when they are due: few of many.
CREATE INDEX outbox_in_the_way ON outbox (process, instance, seq)
    WHERE kind = 0 AND (state = 2 OR state = 0 AND retry_at > due_at);
-- What an instance has asked for.
CREATE INDEX outbox_by_instance ON outbox (process, instance, seq);
-- How far a causal chain has come.
CREATE INDEX outbox_by_correlation ON outbox (correlation) WHERE correlation IS NOT NULL;
CREATE INDEX outbox_parked ON outbox (seq) WHERE state = 2;
-- What can be pruned.
CREATE INDEX outbox_done ON outbox (done_at) WHERE done_at IS NOT NULL;
