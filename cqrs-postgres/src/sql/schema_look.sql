-- The database's encoding, whether the schema $1 says what it is, a table in it, and whether there is such a schema.
SELECT current_setting('server_encoding'),
       EXISTS (
           SELECT FROM pg_class AS class JOIN pg_namespace AS schema ON schema.oid = class.relnamespace
           WHERE schema.nspname = $1 AND class.relname = 'cqrs_schema'),
       (SELECT min(class.relname::text)
        FROM pg_class AS class JOIN pg_namespace AS schema ON schema.oid = class.relnamespace
        WHERE schema.nspname = $1 AND class.relkind IN ('r', 'p', 'v', 'm', 'f')),
       EXISTS (SELECT FROM pg_namespace WHERE nspname = $1);
