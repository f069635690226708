-- A step that events set off. Stopped by the fence when the process's checkpoint is not where it must be.
-- Parameters, in order and without numbers: process, where its checkpoint is put, where it must be, process,
-- where it must be; instances, tasks as JSON arrays.
BEGIN IMMEDIATE;

INSERT INTO process_checkpoints (process, position)
SELECT ?, ? WHERE ? = 0 OR EXISTS (SELECT 1 FROM process_checkpoints WHERE process = ?)
ON CONFLICT (process) DO UPDATE SET position = excluded.position WHERE position = ?;

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
