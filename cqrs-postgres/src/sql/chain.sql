-- How far the causal chain $1 has come: commands pending, tasks parked, the last position, instances stuck.
SELECT count(*) FILTER (WHERE kind = 0 AND state = 0),
       count(*) FILTER (WHERE state = 2),
       coalesce(max(position) FILTER (WHERE kind = 0 AND state = 1), 0),
       (SELECT count(*) FROM process_instances WHERE stuck_chain = $1 AND stuck_at IS NOT NULL)
FROM outbox
WHERE correlation = $1;
