-- Gives the task $1 up for good at $2, if it is parked or pending.
UPDATE outbox SET state = 3, done_at = $2 WHERE id = $1 AND state IN (0, 2);
