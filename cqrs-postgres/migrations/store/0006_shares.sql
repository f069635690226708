-- The outbox in shares, for several runners.

-- OutboxEntry::shard, a number that follows from process and instance. Tasks of before this column are all in one shard.
ALTER TABLE outbox ADD COLUMN shard smallint NOT NULL DEFAULT 0;

-- As before, with the shard, so that the tasks of other shares are passed over without a look at their rows.
DROP INDEX outbox_pending;
CREATE INDEX outbox_pending ON outbox (retry_at, shard) WHERE state = 0;
DROP INDEX outbox_pending_in_order;
CREATE INDEX outbox_pending_in_order ON outbox (seq, retry_at, shard) WHERE state = 0;
