-- Digests, keys and signatures are stored as bytes, times as RFC 3339 text in UTC.

CREATE TABLE agreements (
    digest BYTEA PRIMARY KEY NOT NULL CHECK (length(digest) = 32),
    canonical BYTEA NOT NULL,
    origin_office TEXT NOT NULL,
    destination_office TEXT NOT NULL,
    origin_signature BYTEA CHECK (length(origin_signature) = 64),
    destination_signature BYTEA CHECK (length(destination_signature) = 64),
    created_at TEXT NOT NULL
);

CREATE TABLE datasets (
    id BYTEA PRIMARY KEY NOT NULL CHECK (length(id) = 32),
    agreement BYTEA NOT NULL REFERENCES agreements (digest),
    office TEXT NOT NULL,
    schema_digest BYTEA NOT NULL CHECK (length(schema_digest) = 32),
    key_check BYTEA NOT NULL CHECK (length(key_check) = 32),
    record_count BIGINT NOT NULL CHECK (record_count > 0),
    total_bytes BIGINT NOT NULL CHECK (total_bytes > 0),
    content_digest BYTEA NOT NULL CHECK (length(content_digest) = 32),
    state TEXT NOT NULL CHECK (state IN ('receiving', 'sealed')),
    acknowledged_bytes BIGINT NOT NULL DEFAULT 0 CHECK (acknowledged_bytes BETWEEN 0 AND total_bytes),
    next_sequence BIGINT NOT NULL DEFAULT 0,
    created_at TEXT NOT NULL,
    -- One dataset per office and agreement.
    UNIQUE (agreement, office)
);

CREATE TABLE frames (
    dataset BYTEA NOT NULL REFERENCES datasets (id) ON DELETE CASCADE,
    sequence BIGINT NOT NULL,
    byte_count BIGINT NOT NULL CHECK (byte_count > 0),
    checksum BYTEA NOT NULL CHECK (length(checksum) = 32),
    PRIMARY KEY (dataset, sequence)
);

CREATE TABLE runs (
    id BYTEA PRIMARY KEY NOT NULL CHECK (length(id) = 32),
    agreement BYTEA NOT NULL REFERENCES agreements (digest),
    origin_dataset BYTEA NOT NULL REFERENCES datasets (id),
    destination_dataset BYTEA NOT NULL REFERENCES datasets (id),
    state TEXT NOT NULL,
    tiles_total BIGINT NOT NULL DEFAULT 0,
    restarts BIGINT NOT NULL DEFAULT 0,
    reason TEXT NOT NULL DEFAULT '',
    result BYTEA CHECK (length(result) = 32),
    origin_release BYTEA CHECK (length(origin_release) = 64),
    destination_release BYTEA CHECK (length(destination_release) = 64),
    created_at TEXT NOT NULL
);

CREATE TABLE tiles (
    run BYTEA NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    tile BIGINT NOT NULL,
    pair_count BIGINT NOT NULL,
    PRIMARY KEY (run, tile)
);
