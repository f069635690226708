-- A page of the outbox after $1, at most $2 tasks, in order. $3 process, $4 instance, $5 state, each NULL for any.
SELECT id, process, instance, kind, name, data, metadata, due_at, retry_at, attempts, last_error, state, seq
FROM outbox
WHERE seq > $1
  AND ($3::text IS NULL OR process = $3)
  AND ($4::text IS NULL OR instance = $4)
  AND ($5::smallint IS NULL OR state = $5)
ORDER BY seq
LIMIT $2;
