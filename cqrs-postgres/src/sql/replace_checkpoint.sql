-- Puts a checkpoint at $2 in version $3 in the place of the one of projection $1.
INSERT INTO projections (name, position, version) VALUES ($1, $2, $3)
ON CONFLICT (name) DO UPDATE SET position = excluded.position, version = excluded.version;
