-- What projections need beside their own tables, which they make themselves.

-- How far each projection has worked, and the version of the projection that has made what there is.
CREATE TABLE projections (
    name     text COLLATE "C" PRIMARY KEY,
    position bigint NOT NULL,
    version  bigint NOT NULL
);
