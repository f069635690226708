-- A page of the instances of process $1 after $2, at most $3, in the order of their ids; the finished ones if $4.
SELECT state, schema_version, finished, first, last, stuck_at, stuck_chain, stuck_error, instance
FROM process_instances
WHERE process = $1 AND instance > $2
  AND (NOT $4 OR finished AND stuck_at IS NULL)
ORDER BY instance
LIMIT $3;
