-- What a projection has made in its shadow, in the order in which it was made: type, name, SQL, what its table is, and,
-- for a table with columns that are computed, the names of the others.
SELECT made.type, made.name, made.sql, coalesce(listed.type, ''),
       (SELECT CASE WHEN max(hidden IN (2, 3))
               THEN group_concat('"' || replace(name, '"', '""') || '"') FILTER (WHERE hidden = 0) END
        FROM pragma_table_xinfo(made.name, 'shadow'))
FROM shadow.sqlite_schema AS made
LEFT JOIN pragma_table_list AS listed ON listed.schema = 'shadow' AND listed.name = made.tbl_name
WHERE made.name NOT LIKE 'sqlite\_%' ESCAPE '\'
ORDER BY made.rowid;
