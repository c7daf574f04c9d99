-- The bytes of every dataset and run are encrypted under keys of their own, which stand here wrapped under the master key. A
-- dataset that was purged has a row in `datasets`, a certificate, and no key.

ALTER TABLE datasets ADD COLUMN sealed_at TEXT;
ALTER TABLE datasets ADD COLUMN purged_at TEXT;
ALTER TABLE runs ADD COLUMN released_at TEXT;

CREATE TABLE data_keys (
    id BLOB PRIMARY KEY NOT NULL CHECK (length(id) = 16),
    -- The dataset or run.
    owner BLOB NOT NULL CHECK (length(owner) = 32),
    purpose TEXT NOT NULL CHECK (purpose IN ('dataset', 'result', 'run')),
    master_key TEXT NOT NULL,
    wrapped BLOB NOT NULL,
    created_at TEXT NOT NULL,
    UNIQUE (owner, purpose)
) STRICT;

CREATE TABLE deletion_certificates (
    dataset BLOB PRIMARY KEY NOT NULL REFERENCES datasets (id),
    canonical BLOB NOT NULL,
    signing_key BLOB NOT NULL CHECK (length(signing_key) = 32),
    signature BLOB NOT NULL CHECK (length(signature) = 64)
) STRICT;
