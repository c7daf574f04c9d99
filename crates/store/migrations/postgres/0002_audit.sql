-- The audit log, what left the service, and what each result was made of.

-- The next sequence number: one row, taken first by every transaction that logs, so that places have no gap and no order but that
-- of commits.
CREATE TABLE audit_head (
    id BIGINT PRIMARY KEY NOT NULL CHECK (id = 1),
    size BIGINT NOT NULL CHECK (size >= 0)
);
INSERT INTO audit_head (id, size) VALUES (1, 0);

CREATE TABLE audit_entries (
    sequence BIGINT PRIMARY KEY NOT NULL CHECK (sequence >= 0),
    -- No reference: an entry outlives what it is about.
    agreement BYTEA CHECK (octet_length(agreement) = 32),
    entry BYTEA NOT NULL,
    leaf BYTEA NOT NULL CHECK (octet_length(leaf) = 32)
);

-- Checkpoints that were given out.
CREATE TABLE audit_checkpoints (
    size BIGINT PRIMARY KEY NOT NULL CHECK (size >= 0),
    note TEXT NOT NULL
);

-- Each figure that left, to whom and under which rule.
CREATE TABLE disclosures (
    sequence BIGINT PRIMARY KEY NOT NULL REFERENCES audit_entries (sequence),
    agreement BYTEA NOT NULL CHECK (octet_length(agreement) = 32),
    run BYTEA NOT NULL CHECK (octet_length(run) = 32),
    result BYTEA NOT NULL CHECK (octet_length(result) = 32),
    party TEXT NOT NULL,
    role TEXT NOT NULL,
    part TEXT NOT NULL,
    first_row BIGINT,
    last_row BIGINT,
    method TEXT NOT NULL,
    minimum_count BIGINT NOT NULL,
    rule BYTEA NOT NULL CHECK (octet_length(rule) = 32),
    disclosed_at TEXT NOT NULL
);
CREATE INDEX disclosures_by_agreement ON disclosures (agreement, sequence);

-- Tables that both offices released, with what it takes to keep later ones from being subtracted from them. They stay when runs
-- and datasets are purged. Offices and countries are in the order of the alphabet.
CREATE TABLE released_tables (
    run BYTEA PRIMARY KEY NOT NULL CHECK (octet_length(run) = 32),
    result BYTEA NOT NULL CHECK (octet_length(result) = 32),
    agreement BYTEA NOT NULL CHECK (octet_length(agreement) = 32),
    first_office TEXT NOT NULL,
    second_office TEXT NOT NULL,
    first_country TEXT NOT NULL,
    second_country TEXT NOT NULL,
    first_year BIGINT NOT NULL,
    last_year BIGINT NOT NULL,
    flow_table BYTEA NOT NULL,
    released_at TEXT NOT NULL
);
CREATE INDEX released_tables_by_offices ON released_tables (first_office, second_office);

-- What a result was made of.
CREATE TABLE run_manifests (
    run BYTEA PRIMARY KEY NOT NULL CHECK (octet_length(run) = 32),
    canonical BYTEA NOT NULL
);

CREATE FUNCTION corridor_only_grows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the table % only grows', TG_TABLE_NAME;
END
$$;
CREATE FUNCTION corridor_audit_head() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.size <> OLD.size + 1 THEN
        RAISE EXCEPTION 'the audit log grows by one entry at a time';
    END IF;
    RETURN NEW;
END
$$;
CREATE FUNCTION corridor_audit_next() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.sequence <> (SELECT size - 1 FROM audit_head) THEN
        RAISE EXCEPTION 'an audit entry takes the next place';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER audit_head_only_grows BEFORE UPDATE ON audit_head
FOR EACH ROW EXECUTE FUNCTION corridor_audit_head();
CREATE TRIGGER audit_head_stays BEFORE DELETE OR TRUNCATE ON audit_head
FOR EACH STATEMENT EXECUTE FUNCTION corridor_only_grows();
CREATE TRIGGER audit_entries_follow BEFORE INSERT ON audit_entries
FOR EACH ROW EXECUTE FUNCTION corridor_audit_next();
CREATE TRIGGER audit_entries_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entries
FOR EACH STATEMENT EXECUTE FUNCTION corridor_only_grows();
CREATE TRIGGER audit_checkpoints_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_checkpoints
FOR EACH STATEMENT EXECUTE FUNCTION corridor_only_grows();
CREATE TRIGGER disclosures_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON disclosures
FOR EACH STATEMENT EXECUTE FUNCTION corridor_only_grows();
CREATE TRIGGER released_tables_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON released_tables
FOR EACH STATEMENT EXECUTE FUNCTION corridor_only_grows();
