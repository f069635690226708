-- What tells this database from all others, whatever way one has come here.
SELECT system_identifier, current_database()::text FROM pg_control_system();
