-- What handler $1 holds back becomes to be dropped: all of it, or key $2, or position $3, part $4.
UPDATE parked_events
SET state = 3
WHERE handler = $1 AND state <> 3
  AND ($2::text IS NULL OR key = $2)
  AND ($3::bigint IS NULL OR (position, part) = ($3, $4));
