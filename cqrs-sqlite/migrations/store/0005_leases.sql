-- Who works, where several could: see LeaseStore.
CREATE TABLE leases (
    name   TEXT    NOT NULL PRIMARY KEY,
    holder BLOB    NOT NULL,
    until  INTEGER NOT NULL, -- microseconds since 1970
    opened BLOB    NOT NULL  -- the open handle by which it was taken; the file -open-… beside is locked while it lives
) WITHOUT ROWID;

-- The version of the projection that has made what there is.
ALTER TABLE projections ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
