-- A page of the events after position $2, part $3, at most $4, that an operator wants handler $1 to try again or drop.
SELECT position, part, event, key, attempts, last_error, at, state
FROM parked_events
WHERE handler = $1 AND state >= 2 AND (position, part) > ($2, $3)
ORDER BY position, part
LIMIT $4;
