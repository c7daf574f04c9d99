-- Who works on which run. A lease is held by a worker, a number this database gave to a service when it started. It is renewed by
-- counting, not by telling the time: whoever sees a lease stand still for long enough, by its own waiting, may take it, and the
-- token rises with each taking, so that a former holder cannot write any more.
CREATE TABLE leases (
    run BLOB PRIMARY KEY NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    token INTEGER NOT NULL CHECK (token > 0),
    worker INTEGER CHECK (worker > 0),
    renewals INTEGER NOT NULL DEFAULT 0,
    -- How often in a row the holder died before it had stored anything.
    barren INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Moves with every change of a run, so that another service notices.
ALTER TABLE runs ADD COLUMN changes INTEGER NOT NULL DEFAULT 0;

CREATE TABLE service (
    id INTEGER PRIMARY KEY NOT NULL CHECK (id = 1),
    -- The last number given to a worker.
    workers INTEGER NOT NULL DEFAULT 0,
    -- Digest of the manifest of the backup this was restored from.
    restored_from BLOB CHECK (length(restored_from) = 32)
) STRICT;
INSERT INTO service (id) VALUES (1);
