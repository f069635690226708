-- Waits for others who migrate the schema $1, until the transaction ends. The first number is ours: "CQRS".
SELECT pg_advisory_xact_lock(1129402963, hashtext($1));
