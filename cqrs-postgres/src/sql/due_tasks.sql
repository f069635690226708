-- What is to be done at $1, at most $2 tasks, in the order in which they were asked for; of the shards that leave $3 when
-- they are divided by $4.
-- A command waits for the earlier ones of its instance that are due but parked or between two attempts. They alone are
-- in the index outbox_in_the_way, so that a long queue is not looked through for each of its tasks.
--
-- Where few of many are due, they are found by time and sorted; where many are, they are found in order, as far as the
-- limit goes. Either way the cost does not follow from how many tasks wait behind.
WITH few (are_due) AS MATERIALIZED (
    SELECT count(*) <= 4 * $2 FROM (
        SELECT FROM outbox WHERE state = 0 AND retry_at <= $1 AND shard % $4 = $3 ORDER BY retry_at LIMIT 4 * $2 + 1) AS due)
(
    SELECT task.id, task.process, task.instance, task.kind, task.name, task.data, task.metadata, task.due_at, task.retry_at, task.attempts, task.last_error, task.state
    FROM (SELECT * FROM outbox WHERE state = 0 AND retry_at <= $1 AND shard % $4 = $3 ORDER BY retry_at LIMIT 4 * $2) AS task
    WHERE (SELECT are_due FROM few)
      AND (task.kind = 1
           OR NOT EXISTS (
               SELECT FROM outbox AS earlier
               WHERE earlier.process = task.process
                 AND earlier.instance = task.instance
                 AND earlier.kind = 0
                 AND (earlier.state = 2 OR earlier.state = 0 AND earlier.retry_at > earlier.due_at)
                 AND earlier.seq < task.seq
                 AND earlier.due_at <= $1
                 AND (earlier.state = 2 OR earlier.retry_at > $1)))
    ORDER BY task.seq
    LIMIT $2)
UNION ALL
(
    SELECT task.id, task.process, task.instance, task.kind, task.name, task.data, task.metadata, task.due_at, task.retry_at, task.attempts, task.last_error, task.state
    FROM outbox AS task
    WHERE NOT (SELECT are_due FROM few)
      AND task.state = 0
      AND task.retry_at <= $1
      AND task.shard % $4 = $3
      AND (task.kind = 1
           OR NOT EXISTS (
               SELECT FROM outbox AS earlier
               WHERE earlier.process = task.process
                 AND earlier.instance = task.instance
                 AND earlier.kind = 0
                 AND (earlier.state = 2 OR earlier.state = 0 AND earlier.retry_at > earlier.due_at)
                 AND earlier.seq < task.seq
                 AND earlier.due_at <= $1
                 AND (earlier.state = 2 OR earlier.retry_at > $1)))
    ORDER BY task.seq
    LIMIT $2);
