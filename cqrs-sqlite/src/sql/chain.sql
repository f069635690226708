-- How far the causal chain ?1 has come: commands pending, tasks parked, the last position.
SELECT count(*) FILTER (WHERE kind = 0 AND state = 0),
       count(*) FILTER (WHERE state = 2),
       coalesce(max(position) FILTER (WHERE kind = 0 AND state = 1), 0)
FROM outbox
WHERE correlation = ?1;
