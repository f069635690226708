-- The first checkpoint of projection $1, at $2, in version $3. Inserts nothing when there is one.
INSERT INTO projections (name, position, version) VALUES ($1, $2, $3)
ON CONFLICT (name) DO NOTHING;
