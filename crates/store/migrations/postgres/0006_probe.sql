-- One row that is written to see whether the database takes writes.

CREATE TABLE probe (
    id BIGINT PRIMARY KEY NOT NULL CHECK (id = 1),
    writes BIGINT NOT NULL
);

INSERT INTO probe (id, writes) VALUES (1, 0);
