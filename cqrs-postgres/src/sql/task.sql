-- The task $1.
SELECT id, process, instance, kind, name, data, metadata, due_at, retry_at, attempts, last_error, state
FROM outbox
WHERE id = $1;
