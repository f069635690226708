-- As list_instances.sql, those that are stuck.
SELECT state, schema_version, finished, first, last, stuck_at, stuck_chain, stuck_error, instance
FROM process_instances
WHERE process = $1 AND instance > $2
  AND stuck_at IS NOT NULL AND NOT $4
ORDER BY instance
LIMIT $3;
