-- What the schema is for, and how many steps of its migrations it has taken.
CREATE TABLE cqrs_schema (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    kind     text    NOT NULL,
    version  integer NOT NULL
);
