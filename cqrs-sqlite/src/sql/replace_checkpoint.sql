-- Puts the checkpoint of projection ?1 in its shadow in the place of the one here, unless this lies beyond ?2 or is of a
-- newer version. Stopped by the fence then.
INSERT INTO main.fence
SELECT count(*) = 0
FROM main.projections AS live
LEFT JOIN shadow.projections AS made ON made.name = live.name
WHERE live.name = ?1 AND (live.position > ?2 OR live.version > coalesce(made.version, 0));

INSERT OR REPLACE INTO main.projections (name, position, version)
SELECT name, position, version FROM shadow.projections WHERE name = ?1;
