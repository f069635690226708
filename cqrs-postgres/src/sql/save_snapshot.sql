-- Keeps a snapshot of the stream $1 as of version $2, of schema version $3, with the state $4; unless the stream has
-- not come so far, or the one that is there is as new.
INSERT INTO snapshots (stream, version, schema_version, state)
SELECT id, $2, $3, $4
FROM streams
WHERE name = $1
  AND $2 BETWEEN 1 AND (SELECT version FROM events WHERE stream = streams.id ORDER BY version DESC LIMIT 1)
ON CONFLICT (stream) DO UPDATE
SET version = excluded.version, schema_version = excluded.schema_version, state = excluded.state
WHERE (excluded.version, excluded.schema_version) > (snapshots.version, snapshots.schema_version);
