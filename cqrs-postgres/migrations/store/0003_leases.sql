-- Who works, where several could: see LeaseStore.
CREATE TABLE leases (
    name   text COLLATE "C" PRIMARY KEY,
    holder uuid   NOT NULL,
    until  bigint NOT NULL -- microseconds since 1970
);
