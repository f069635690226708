-- A page of the events of key $5 that handler $1 holds back after position $2, part $3, at most $4.
SELECT position, part, event, key, attempts, last_error, at, state
FROM parked_events
WHERE handler = $1 AND hashtextextended(key, 0) = hashtextextended($5 COLLATE "C", 0) AND key = $5
  AND (position, part) > ($2, $3)
ORDER BY position, part
LIMIT $4;
