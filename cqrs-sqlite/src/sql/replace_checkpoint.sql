-- Puts the checkpoint of projection ?1 in its shadow in the place of the one here, unless this lies beyond ?2 or is of a
-- newer version. Stopped by the fence then.
INSERT INTO main.projections (name, position, version)
SELECT name, position, version FROM shadow.projections WHERE name = ?1
ON CONFLICT (name) DO UPDATE
SET position = excluded.position, version = excluded.version
WHERE main.projections.position <= ?2 AND main.projections.version <= excluded.version;

INSERT INTO main.fence SELECT changes();
