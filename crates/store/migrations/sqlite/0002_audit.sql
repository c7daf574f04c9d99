-- The audit log, what left the service, and what each result was made of.

-- The next sequence number: one row, taken first by every transaction that logs, so that places have no gap and no order but that
-- of commits.
CREATE TABLE audit_head (
    id INTEGER PRIMARY KEY NOT NULL CHECK (id = 1),
    size INTEGER NOT NULL CHECK (size >= 0)
) STRICT;
INSERT INTO audit_head (id, size) VALUES (1, 0);

CREATE TABLE audit_entries (
    sequence INTEGER PRIMARY KEY NOT NULL CHECK (sequence >= 0),
    -- No reference: an entry outlives what it is about.
    agreement BLOB CHECK (length(agreement) = 32),
    entry BLOB NOT NULL,
    leaf BLOB NOT NULL CHECK (length(leaf) = 32)
) STRICT;

-- Checkpoints that were given out.
CREATE TABLE audit_checkpoints (
    size INTEGER PRIMARY KEY NOT NULL CHECK (size >= 0),
    note TEXT NOT NULL
) STRICT;

-- Each figure that left, to whom and under which rule.
CREATE TABLE disclosures (
    sequence INTEGER PRIMARY KEY NOT NULL REFERENCES audit_entries (sequence),
    agreement BLOB NOT NULL CHECK (length(agreement) = 32),
    run BLOB NOT NULL CHECK (length(run) = 32),
    result BLOB NOT NULL CHECK (length(result) = 32),
    party TEXT NOT NULL,
    role TEXT NOT NULL,
    part TEXT NOT NULL,
    first_row INTEGER,
    last_row INTEGER,
    method TEXT NOT NULL,
    minimum_count INTEGER NOT NULL,
    rule BLOB NOT NULL CHECK (length(rule) = 32),
    disclosed_at TEXT NOT NULL
) STRICT;
CREATE INDEX disclosures_by_agreement ON disclosures (agreement, sequence);

-- Tables that both offices released, with what it takes to keep later ones from being subtracted from them. They stay when runs
-- and datasets are purged. Offices and countries are in the order of the alphabet.
CREATE TABLE released_tables (
    run BLOB PRIMARY KEY NOT NULL CHECK (length(run) = 32),
    result BLOB NOT NULL CHECK (length(result) = 32),
    agreement BLOB NOT NULL CHECK (length(agreement) = 32),
    first_office TEXT NOT NULL,
    second_office TEXT NOT NULL,
    first_country TEXT NOT NULL,
    second_country TEXT NOT NULL,
    first_year INTEGER NOT NULL,
    last_year INTEGER NOT NULL,
    flow_table BLOB NOT NULL,
    released_at TEXT NOT NULL
) STRICT;
CREATE INDEX released_tables_by_offices ON released_tables (first_office, second_office);

-- What a result was made of.
CREATE TABLE run_manifests (
    run BLOB PRIMARY KEY NOT NULL CHECK (length(run) = 32),
    canonical BLOB NOT NULL
) STRICT;

CREATE TRIGGER audit_head_only_grows BEFORE UPDATE ON audit_head WHEN NEW.size <> OLD.size + 1
BEGIN SELECT RAISE(ABORT, 'the audit log grows by one entry at a time'); END;
CREATE TRIGGER audit_head_stays BEFORE DELETE ON audit_head
BEGIN SELECT RAISE(ABORT, 'the audit log only grows'); END;
CREATE TRIGGER audit_entries_follow BEFORE INSERT ON audit_entries
WHEN NEW.sequence <> (SELECT size - 1 FROM audit_head)
BEGIN SELECT RAISE(ABORT, 'an audit entry takes the next place'); END;
CREATE TRIGGER audit_entries_unchanged BEFORE UPDATE ON audit_entries
BEGIN SELECT RAISE(ABORT, 'the audit log only grows'); END;
CREATE TRIGGER audit_entries_stay BEFORE DELETE ON audit_entries
BEGIN SELECT RAISE(ABORT, 'the audit log only grows'); END;
CREATE TRIGGER audit_checkpoints_unchanged BEFORE UPDATE ON audit_checkpoints
BEGIN SELECT RAISE(ABORT, 'checkpoints are kept'); END;
CREATE TRIGGER audit_checkpoints_stay BEFORE DELETE ON audit_checkpoints
BEGIN SELECT RAISE(ABORT, 'checkpoints are kept'); END;
CREATE TRIGGER disclosures_unchanged BEFORE UPDATE ON disclosures
BEGIN SELECT RAISE(ABORT, 'the disclosure log only grows'); END;
CREATE TRIGGER disclosures_stay BEFORE DELETE ON disclosures
BEGIN SELECT RAISE(ABORT, 'the disclosure log only grows'); END;
CREATE TRIGGER released_tables_unchanged BEFORE UPDATE ON released_tables
BEGIN SELECT RAISE(ABORT, 'what was released stays known'); END;
CREATE TRIGGER released_tables_stay BEFORE DELETE ON released_tables
BEGIN SELECT RAISE(ABORT, 'what was released stays known'); END;
