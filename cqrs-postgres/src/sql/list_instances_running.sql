-- As list_instances.sql, those that take events.
SELECT state, schema_version, finished, first, last, stuck_at, stuck_chain, stuck_error, instance
FROM process_instances
WHERE process = $1 AND instance > $2
  AND NOT finished AND stuck_at IS NULL AND NOT $4
ORDER BY instance
LIMIT $3;
