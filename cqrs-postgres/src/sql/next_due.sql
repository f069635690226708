-- The next time after $1 at which a pending task is to be tried.
SELECT min(retry_at) FROM outbox WHERE state = 0 AND retry_at > $1;
