-- The snapshot of the stream $1.
SELECT snapshots.version, snapshots.schema_version, snapshots.state
FROM streams
JOIN snapshots ON snapshots.stream = streams.id
WHERE streams.name = $1;
