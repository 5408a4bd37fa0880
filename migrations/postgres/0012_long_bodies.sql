-- Of a body that is too long for a command only the beginning is kept: its size and the SHA-256 of the whole.
-- Null where the column `body` has the whole.
ALTER TABLE dead_letters ADD COLUMN body_bytes BIGINT;
ALTER TABLE dead_letters ADD COLUMN body_sha256 TEXT;
