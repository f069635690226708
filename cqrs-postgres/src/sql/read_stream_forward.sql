-- A page of a stream, forward. $1 its name, $2 the version to begin with, $3 the most events.
SELECT position, version, recorded_at, stream, type, id, data, causation, correlation, metadata
FROM events
WHERE stream = (SELECT streams.id FROM streams WHERE name = $1) AND version >= $2
ORDER BY version
LIMIT $3;
