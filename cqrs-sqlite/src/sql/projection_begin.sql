-- The first checkpoint of projection ?1, at ?2, in version ?3. Stopped by the fence when there is one.
-- The fence asks the table and not changes(), which a virtual table among those that were written may count up in between.
INSERT INTO fence SELECT count(*) = 0 FROM projections WHERE name = ?1;

INSERT INTO projections (name, position, version) VALUES (?1, ?2, ?3);
