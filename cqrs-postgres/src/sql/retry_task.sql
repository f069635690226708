-- Tries the task $1 again at $2, if it is parked or has failed.
UPDATE outbox SET state = 0, retry_at = $2, attempts = 0
WHERE id = $1 AND (state = 2 OR state = 0 AND attempts > 0);
