-- What has been made in the schema $1, the newest first: its kind as DROP and ALTER have it, its name, how it is named in a
-- statement, and whether it belongs to a table and goes wherever that goes, as indexes and the sequences of columns do.
SELECT CASE class.relkind
           WHEN 'r' THEN 'TABLE' WHEN 'p' THEN 'TABLE'
           WHEN 'v' THEN 'VIEW'
           WHEN 'm' THEN 'MATERIALIZED VIEW'
           WHEN 'f' THEN 'FOREIGN TABLE'
           WHEN 'S' THEN 'SEQUENCE'
           WHEN 'c' THEN 'TYPE'
           ELSE 'INDEX'
       END AS kind,
       class.relname::text AS name,
       format('%I.%I', $1, class.relname) AS called,
       class.relkind IN ('i', 'I') OR owned.objid IS NOT NULL AS follows,
       class.oid AS made
FROM pg_class AS class
LEFT JOIN pg_depend AS owned
       ON class.relkind = 'S' AND owned.classid = 'pg_class'::regclass AND owned.objid = class.oid
      AND owned.refclassid = 'pg_class'::regclass AND owned.refobjsubid > 0 AND owned.deptype IN ('a', 'i')
WHERE class.relnamespace = $1::regnamespace
UNION ALL
SELECT 'ROUTINE', proname::text, routine.oid::regprocedure::text, false, routine.oid
FROM pg_proc AS routine
WHERE pronamespace = $1::regnamespace
UNION ALL
-- Not the types of rows and arrays, which go with what they are made of.
SELECT CASE typtype WHEN 'd' THEN 'DOMAIN' ELSE 'TYPE' END, typname::text, format('%I.%I', $1, typname), false, type.oid
FROM pg_type AS type
WHERE typnamespace = $1::regnamespace AND typtype IN ('d', 'e', 'r', 'm')
UNION ALL
SELECT 'STATISTICS', stxname::text, format('%I.%I', $1, stxname), true, oid
FROM pg_statistic_ext
WHERE stxnamespace = $1::regnamespace
ORDER BY made DESC;
