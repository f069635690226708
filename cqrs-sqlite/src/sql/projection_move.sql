-- Moves the checkpoint of projection ?1 from ?2 to ?3. Stopped by the fence when it is elsewhere.
INSERT INTO projections (name, position)
SELECT ?1, ?3 WHERE ?2 = 0 OR EXISTS (SELECT 1 FROM projections WHERE name = ?1)
ON CONFLICT (name) DO UPDATE SET position = excluded.position WHERE position = ?2;

INSERT INTO fence SELECT changes();
