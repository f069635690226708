-- Forgets tasks that were done or dropped before $1, at most $2.
DELETE FROM outbox
WHERE seq IN (SELECT seq FROM outbox WHERE done_at < $1 LIMIT $2);
