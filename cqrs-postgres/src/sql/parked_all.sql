-- A page of the events that handler $1 holds back after position $2, part $3, at most $4.
SELECT position, part, event, key, attempts, last_error, at, state
FROM parked_events
WHERE handler = $1 AND (position, part) > ($2, $3)
ORDER BY position, part
LIMIT $4;
