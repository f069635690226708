-- As list_instances.sql, those that take events.
SELECT state, schema_version, finished, first, last, stuck_at, stuck_chain, stuck_error, instance
FROM process_instances INDEXED BY process_instances_running
WHERE process = ?1 AND instance > ?2 AND finished = 0 AND stuck_at IS NULL AND NOT ?4
ORDER BY instance
LIMIT ?3;
