-- The names of all relations and routines in the current schema.
SELECT relname::text FROM pg_class WHERE relnamespace = current_schema()::regnamespace
UNION
SELECT proname::text FROM pg_proc WHERE pronamespace = current_schema()::regnamespace;
