-- The shadows with the comment $1. Whoever has the lock knows that their makers are gone.
SELECT nspname::text
FROM pg_namespace
WHERE nspname LIKE 'cqrs\_shadow\_%' AND obj_description(oid, 'pg_namespace') = $1;
