-- Instances by id. $1 process, $2 the ids.
SELECT state, schema_version, finished, first, last, stuck_at, stuck_chain, stuck_error, wanted.key
FROM unnest($2::text[]) WITH ORDINALITY AS wanted (instance, key)
JOIN process_instances ON process_instances.process = $1 AND process_instances.instance = wanted.instance;
