-- The bytes of every dataset and run are encrypted under keys of their own, which stand here wrapped under the master key. A
-- dataset that was purged has a row in `datasets`, a certificate, and no key.

ALTER TABLE datasets ADD COLUMN sealed_at TEXT;
ALTER TABLE datasets ADD COLUMN purged_at TEXT;
ALTER TABLE runs ADD COLUMN released_at TEXT;

CREATE TABLE data_keys (
    id BYTEA PRIMARY KEY NOT NULL CHECK (length(id) = 16),
    -- The dataset or run.
    owner BYTEA NOT NULL CHECK (length(owner) = 32),
    purpose TEXT NOT NULL CHECK (purpose IN ('dataset', 'result', 'run')),
    master_key TEXT NOT NULL,
    wrapped BYTEA NOT NULL,
    created_at TEXT NOT NULL,
    UNIQUE (owner, purpose)
);

CREATE TABLE deletion_certificates (
    dataset BYTEA PRIMARY KEY NOT NULL REFERENCES datasets (id),
    canonical BYTEA NOT NULL,
    signing_key BYTEA NOT NULL CHECK (length(signing_key) = 32),
    signature BYTEA NOT NULL CHECK (length(signature) = 64)
);
