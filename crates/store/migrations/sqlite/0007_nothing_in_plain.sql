-- Released tables are read from the bulk store, where they are encrypted; here it is only known which there are.
ALTER TABLE released_tables DROP COLUMN flow_table;

-- What was kept of datasets when they were sealed was not encrypted. It cannot be here, without the keys: it is forgotten, and those
-- datasets are compared with later ones no more.
DELETE FROM gate_reports;

-- When a run of an office was taken up last, by counting: whose turn was longest ago is served next.
CREATE TABLE turns (
    office TEXT PRIMARY KEY NOT NULL,
    turn INTEGER NOT NULL CHECK (turn > 0)
) STRICT;

-- Datasets that were purged, and of which stored bytes or traces of keys may be left.
CREATE TABLE unfinished_purges (
    dataset BLOB PRIMARY KEY NOT NULL CHECK (length(dataset) = 32)
) STRICT;

-- Whether the audit log says of the backup in restored_from that it was put back.
ALTER TABLE service ADD COLUMN restore_logged INTEGER NOT NULL DEFAULT 0;

-- What this database goes with: the bulk store in which an object has the same bytes, so that nothing is removed from that of
-- another; and the master key under which new keys are wrapped.
ALTER TABLE service ADD COLUMN installation BLOB CHECK (length(installation) = 32);
ALTER TABLE service ADD COLUMN master_key TEXT;
