-- A page of what is parked, as list_tasks.sql with $5 given.
SELECT id, process, instance, kind, name, data, metadata, due_at, retry_at, attempts, last_error, state, seq
FROM outbox
WHERE state = 2 AND $5::smallint = 2 AND seq > $1
  AND ($3::text IS NULL OR process = $3)
  AND ($4::text IS NULL OR instance = $4)
ORDER BY seq
LIMIT $2;
