-- What is to be done at ?1, at most ?2 tasks, in the order in which they were asked for.
-- A command waits for the earlier ones of its instance that are due but parked or between two attempts.
SELECT task.id, task.process, task.instance, task.kind, task.name, task.data, task.metadata, task.due_at,
       task.retry_at, task.attempts, task.last_error
FROM outbox AS task
WHERE task.state = 0
  AND task.retry_at <= ?1
  AND (task.kind = 1
       OR NOT EXISTS (
           SELECT 1 FROM outbox AS earlier
           WHERE earlier.process = task.process
             AND earlier.instance = task.instance
             AND earlier.seq < task.seq
             AND earlier.state <> 1
             AND earlier.kind = 0
             AND earlier.due_at <= ?1
             AND (earlier.state = 2 OR earlier.retry_at > ?1)))
ORDER BY task.seq
LIMIT ?2;
