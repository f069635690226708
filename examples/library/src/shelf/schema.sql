-- The tables as they are today. A new version of the projection makes them anew, so there is nothing to migrate.
-- No foreign keys: a loan may well be seen before anybody knows the member's name.
CREATE TABLE IF NOT EXISTS books (
    book TEXT NOT NULL PRIMARY KEY,
    title TEXT NOT NULL,
    author TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS members (
    member TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS loans (
    book TEXT NOT NULL PRIMARY KEY,
    member TEXT NOT NULL,
    due INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What is overdue is asked for each morning.
CREATE INDEX IF NOT EXISTS loans_by_due ON loans (due);
