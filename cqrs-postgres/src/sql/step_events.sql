-- A step that events set off, if the process's checkpoint is where it must be: then the answer is 1, otherwise 0, and
-- nothing is changed.
-- $1 process; $2 to $10 instances and $11 to $23 tasks, column by column;
-- $24 instances and $25 names of deadlines that are cancelled, $26 now;
-- $27 where the checkpoint must be, $28 where it is put.
WITH step AS (
    INSERT INTO process_checkpoints (process, position)
    SELECT $1, $28 WHERE $27 = 0 OR EXISTS (SELECT FROM process_checkpoints WHERE process = $1)
    ON CONFLICT (process) DO UPDATE SET position = excluded.position WHERE process_checkpoints.position = $27
    RETURNING 1
),
changed AS (
    INSERT INTO process_instances
        (process, instance, state, schema_version, finished, first, last, stuck_at, stuck_chain, stuck_error)
    SELECT $1, new.instance, new.state, new.schema_version, new.finished, new.first, new.last, new.stuck_at,
           new.stuck_chain, new.stuck_error
    FROM unnest($2::text[], $3::text[], $4::bigint[], $5::boolean[], $6::bigint[], $7::bigint[], $8::bigint[], $9::uuid[],
                $10::text[])
         AS new (instance, state, schema_version, finished, first, last, stuck_at, stuck_chain, stuck_error)
    WHERE EXISTS (SELECT FROM step)
    ON CONFLICT (process, instance) DO UPDATE SET
        state = excluded.state, schema_version = excluded.schema_version, finished = excluded.finished,
        first = excluded.first, last = excluded.last, stuck_at = excluded.stuck_at,
        stuck_chain = excluded.stuck_chain, stuck_error = excluded.stuck_error
),
cancelled AS (
    UPDATE outbox SET state = 3, done_at = $26
    FROM unnest($24::text[], $25::text[]) AS meant (instance, name)
    WHERE outbox.process = $1 AND outbox.instance = meant.instance AND outbox.kind = 1 AND outbox.name = meant.name
      AND outbox.state IN (0, 2) AND EXISTS (SELECT FROM step)
),
asked AS (
    INSERT INTO outbox
        (id, process, instance, kind, name, data, metadata, correlation, due_at, retry_at, attempts, last_error, shard,
         state)
    SELECT new.id, new.process, new.instance, new.kind, new.name, new.data, new.metadata, new.correlation, new.due_at,
           new.retry_at, new.attempts, new.last_error, new.shard, 0
    FROM unnest($11::uuid[], $12::text[], $13::text[], $14::smallint[], $15::text[], $16::text[], $17::text[], $18::uuid[],
                $19::bigint[], $20::bigint[], $21::bigint[], $22::text[], $23::smallint[])
         WITH ORDINALITY AS new (id, process, instance, kind, name, data, metadata, correlation, due_at, retry_at,
                                 attempts, last_error, shard, number)
    WHERE EXISTS (SELECT FROM step)
    ORDER BY new.number
    ON CONFLICT (id) DO NOTHING
)
SELECT count(*) FROM step;
