-- Forgets tasks that were done before ?1.
DELETE FROM outbox WHERE state = 1 AND done_at < ?1;
