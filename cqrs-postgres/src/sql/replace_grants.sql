-- The statements that give again, to the tables named $2 in the schema $1, what others may do with them now.
SELECT format('GRANT %s ON TABLE %I.%I TO %s%s', access.privilege_type, $1, class.relname,
              CASE access.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(access.grantee)) END,
              CASE WHEN access.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
FROM pg_class AS class CROSS JOIN LATERAL aclexplode(class.relacl) AS access
WHERE class.relnamespace = $1::regnamespace AND class.relname = ANY ($2) AND class.relkind IN ('r', 'p', 'v', 'm', 'f')
  AND access.grantee <> class.relowner;
