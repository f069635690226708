-- Instances by id. ?1 process, ?2 the ids, a JSON array.
SELECT state, schema_version, finished, first, last, stuck_at, stuck_chain, stuck_error, wanted.key
FROM json_each(?2) AS wanted
CROSS JOIN process_instances
    ON process_instances.process = ?1 AND process_instances.instance = wanted.value;
