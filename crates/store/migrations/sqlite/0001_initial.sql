-- Digests, keys and signatures are stored as bytes, times as RFC 3339 text in UTC.

CREATE TABLE agreements (
    digest BLOB PRIMARY KEY NOT NULL CHECK (length(digest) = 32),
    canonical BLOB NOT NULL,
    origin_office TEXT NOT NULL,
    destination_office TEXT NOT NULL,
    origin_signature BLOB CHECK (length(origin_signature) = 64),
    destination_signature BLOB CHECK (length(destination_signature) = 64),
    created_at TEXT NOT NULL
) STRICT;

CREATE TABLE datasets (
    id BLOB PRIMARY KEY NOT NULL CHECK (length(id) = 32),
    agreement BLOB NOT NULL REFERENCES agreements (digest),
    office TEXT NOT NULL,
    schema_digest BLOB NOT NULL CHECK (length(schema_digest) = 32),
    key_check BLOB NOT NULL CHECK (length(key_check) = 32),
    record_count INTEGER NOT NULL CHECK (record_count > 0),
    total_bytes INTEGER NOT NULL CHECK (total_bytes > 0),
    content_digest BLOB NOT NULL CHECK (length(content_digest) = 32),
    state TEXT NOT NULL CHECK (state IN ('receiving', 'sealed')),
    acknowledged_bytes INTEGER NOT NULL DEFAULT 0 CHECK (acknowledged_bytes BETWEEN 0 AND total_bytes),
    next_sequence INTEGER NOT NULL DEFAULT 0,
    created_at TEXT NOT NULL,
    -- One dataset per office and agreement.
    UNIQUE (agreement, office)
) STRICT;

CREATE TABLE frames (
    dataset BLOB NOT NULL REFERENCES datasets (id) ON DELETE CASCADE,
    sequence INTEGER NOT NULL,
    byte_count INTEGER NOT NULL CHECK (byte_count > 0),
    checksum BLOB NOT NULL CHECK (length(checksum) = 32),
    PRIMARY KEY (dataset, sequence)
) STRICT;

CREATE TABLE runs (
    id BLOB PRIMARY KEY NOT NULL CHECK (length(id) = 32),
    agreement BLOB NOT NULL REFERENCES agreements (digest),
    origin_dataset BLOB NOT NULL REFERENCES datasets (id),
    destination_dataset BLOB NOT NULL REFERENCES datasets (id),
    state TEXT NOT NULL,
    tiles_total INTEGER NOT NULL DEFAULT 0,
    restarts INTEGER NOT NULL DEFAULT 0,
    reason TEXT NOT NULL DEFAULT '',
    result BLOB CHECK (length(result) = 32),
    origin_release BLOB CHECK (length(origin_release) = 64),
    destination_release BLOB CHECK (length(destination_release) = 64),
    created_at TEXT NOT NULL
) STRICT;

CREATE TABLE tiles (
    run BLOB NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    tile INTEGER NOT NULL,
    pair_count INTEGER NOT NULL,
    PRIMARY KEY (run, tile)
) STRICT;
