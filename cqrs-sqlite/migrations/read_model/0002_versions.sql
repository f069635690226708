-- The version of the projection that has made what there is.
ALTER TABLE projections ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
