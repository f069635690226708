-- A file of its own for read models: the projections' tables are made by the projections.

-- How far each projection has worked.
CREATE TABLE projections (
    name     TEXT    NOT NULL PRIMARY KEY,
    position INTEGER NOT NULL
) WITHOUT ROWID;

-- A compare-and-set in the middle of several statements: INSERT INTO fence SELECT changes() stops them with
-- an error when the statement before it changed nothing. It stores nothing.
CREATE VIEW fence AS SELECT 0 AS changed WHERE false;

CREATE TRIGGER fence_stops INSTEAD OF INSERT ON fence WHEN NEW.changed = 0
BEGIN
    SELECT raise(ABORT, 'fenced');
END;
