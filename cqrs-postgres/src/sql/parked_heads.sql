-- A page of the first events of each key that handler $1 holds back after position $2, part $3, at most $4.
SELECT position, part, event, key, attempts, last_error, at, state
FROM parked_events AS head
WHERE handler = $1 AND (position, part) > ($2, $3)
  AND NOT EXISTS (
      SELECT FROM parked_events AS earlier
      WHERE earlier.handler = head.handler
        AND hashtextextended(earlier.key, 0) = hashtextextended(head.key, 0)
        AND earlier.key = head.key
        AND (earlier.position, earlier.part) < (head.position, head.part))
ORDER BY position, part
LIMIT $4;
