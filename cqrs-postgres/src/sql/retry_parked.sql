-- What handler $1 has given up becomes to be retried: of all keys, or of key $2, or of the key of position $3, part $4.
UPDATE parked_events
SET state = 2
WHERE handler = $1 AND state = 1
  AND ($2::text IS NULL OR key = $2)
  AND ($3::bigint IS NULL OR key = (
      SELECT key FROM parked_events WHERE handler = $1 AND position = $3 AND part = $4));
