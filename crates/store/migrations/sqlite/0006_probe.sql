-- One row that is written to see whether the database takes writes.

CREATE TABLE probe (
    id INTEGER PRIMARY KEY NOT NULL CHECK (id = 1),
    writes INTEGER NOT NULL
) STRICT;

INSERT INTO probe (id, writes) VALUES (1, 0);
