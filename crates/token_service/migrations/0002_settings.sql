-- Facts about the database as a whole: the resource whose identities these are, the endpoints that have proved to be of that
-- resource, and the oldest version of the tables that a program must know. Older programs do not read this table.
CREATE TABLE settings (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);
