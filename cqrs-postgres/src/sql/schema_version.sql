-- What the schema is for, and how many steps it has taken.
SELECT kind, version FROM cqrs_schema;
