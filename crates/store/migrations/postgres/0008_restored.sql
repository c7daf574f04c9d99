-- Whether the audit log says of the backup in restored_from that it was put back.
ALTER TABLE service ADD COLUMN restore_logged BIGINT NOT NULL DEFAULT 0;
