-- A step of a stuck instance. Stopped by the fence when it is not stuck there, or the checkpoint is not where it must be.
-- Parameters, in order and without numbers: process, instance, where it is stuck; where the checkpoint must be or NULL,
-- process, where it must be; instances as a JSON array; now, deadlines that are cancelled and tasks as JSON arrays, with
-- the process between them.
BEGIN IMMEDIATE;

INSERT INTO fence
SELECT count(*) FROM process_instances
WHERE process = ? AND instance = ? AND stuck_at = ?
  AND (? IS NULL OR coalesce((SELECT position FROM process_checkpoints WHERE process = ?), 0) = ?);

INSERT INTO process_instances
    (process, instance, state, schema_version, finished, first, last, stuck_at, stuck_chain, stuck_error)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7,
       unhex(value ->> 8), value ->> 9
FROM jsonb_each(?) WHERE true
ON CONFLICT (process, instance) DO UPDATE SET
    state = excluded.state, schema_version = excluded.schema_version, finished = excluded.finished,
    first = excluded.first, last = excluded.last, stuck_at = excluded.stuck_at,
    stuck_chain = excluded.stuck_chain, stuck_error = excluded.stuck_error;

UPDATE outbox SET state = 3, done_at = ?
WHERE seq IN (
    SELECT task.seq FROM jsonb_each(?) AS cancelled
    CROSS JOIN outbox AS task INDEXED BY outbox_by_instance
    WHERE task.process = ? AND task.instance = cancelled.value ->> 0 AND task.kind = 1
      AND task.name = cancelled.value ->> 1 AND task.state IN (0, 2));

INSERT INTO outbox
    (id, process, instance, kind, name, data, metadata, correlation, due_at, retry_at, attempts, last_error,
     shard, state)
SELECT unhex(value ->> 0), value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6,
       unhex(value ->> 7), value ->> 8, value ->> 9, value ->> 10, value ->> 11, value ->> 12, 0
FROM jsonb_each(?) WHERE true
ORDER BY key
ON CONFLICT (id) DO NOTHING;

COMMIT;
