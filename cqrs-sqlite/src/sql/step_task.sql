-- A step that a task of the outbox set off. Stopped by the fence when the task is not pending.
-- Parameters, in order and without numbers: now, what went wrong or NULL, the task's id; instances, tasks as
-- JSON arrays.
BEGIN IMMEDIATE;

UPDATE outbox SET state = 1, done_at = ?, last_error = coalesce(?, last_error)
WHERE id = ? AND state = 0;

INSERT INTO fence SELECT changes();

INSERT INTO process_instances
    (process, instance, state, schema_version, finished, first, last, stuck_at, stuck_chain, stuck_error)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7,
       unhex(value ->> 8), value ->> 9
FROM jsonb_each(?) WHERE true
ON CONFLICT (process, instance) DO UPDATE SET
    state = excluded.state, schema_version = excluded.schema_version, finished = excluded.finished,
    first = excluded.first, last = excluded.last, stuck_at = excluded.stuck_at,
    stuck_chain = excluded.stuck_chain, stuck_error = excluded.stuck_error;

INSERT INTO outbox
    (id, process, instance, kind, name, data, metadata, correlation, due_at, retry_at, attempts, last_error,
     state)
SELECT unhex(value ->> 0), value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6,
       unhex(value ->> 7), value ->> 8, value ->> 9, value ->> 10, value ->> 11, 0
FROM jsonb_each(?) WHERE true
ORDER BY key
ON CONFLICT (id) DO NOTHING;

COMMIT;
