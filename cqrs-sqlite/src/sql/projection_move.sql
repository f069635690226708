-- Moves the checkpoint of projection ?1 from ?2 in version ?3 to ?4 in version ?5. Stopped by the fence when it is
-- elsewhere.
-- The fence asks the table and not changes(), which a virtual table among those that were written may count up in between.
INSERT INTO fence SELECT count(*) FROM projections WHERE name = ?1 AND position = ?2 AND version = ?3;

UPDATE projections SET position = ?4, version = ?5 WHERE name = ?1;
