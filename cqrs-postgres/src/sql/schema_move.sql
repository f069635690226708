-- Writes down that the schema is of kind $1 and has taken $2 steps.
INSERT INTO cqrs_schema (kind, version) VALUES ($1, $2)
ON CONFLICT (only_one) DO UPDATE SET version = excluded.version;
