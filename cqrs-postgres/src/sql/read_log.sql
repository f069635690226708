-- A page of the log: the events after $1, at most $2.
SELECT position, version, recorded_at, stream, type, id, data, causation, correlation, metadata
FROM events
WHERE position > $1
ORDER BY position
LIMIT $2;
