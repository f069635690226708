-- A page of what one instance asked for, as list_tasks.sql with $3 and $4 given.
SELECT id, process, instance, kind, name, data, metadata, due_at, retry_at, attempts, last_error, state, seq
FROM outbox
WHERE process = $3 AND instance = $4 AND seq > $1
  AND ($5::smallint IS NULL OR state = $5)
ORDER BY seq
LIMIT $2;
