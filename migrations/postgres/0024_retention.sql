-- Old rows go (src/store/retention): what is written down for it, and the indexes that find what may go.

-- Of a row that was revoked long ago a compact line stays: its bindings become `past_ports`, and who revoked it comes out of
-- the event, which goes later. The row itself stays for ever, because its MAC must not be handed out again.
ALTER TABLE virtual_macs ADD COLUMN past_ports TEXT;
ALTER TABLE virtual_macs ADD COLUMN revoked_by TEXT;
ALTER TABLE virtual_macs ADD COLUMN revoke_reference TEXT;
ALTER TABLE virtual_macs ADD COLUMN compacted_at_ms BIGINT;
CREATE INDEX virtual_macs_whole ON virtual_macs (revoked_at) WHERE revoked_at IS NOT NULL AND compacted_at_ms IS NULL;

-- A text may be kept ahead of the backup that needs it: it stays for a day after it was last wanted.
ALTER TABLE config_contents ADD COLUMN used_at_ms BIGINT NOT NULL DEFAULT 0;
ALTER TABLE config_contents ALTER used_at_ms SET DEFAULT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT);
CREATE INDEX config_backups_content ON config_backups (content_hash);

-- A command whose dead letter waits stays.
CREATE INDEX dead_letters_waiting_key ON dead_letters (message_key) WHERE state = 'waiting';

-- How far each table was gone through, and how many rows of it have gone.
CREATE TABLE retention (
    table_name  TEXT PRIMARY KEY,
    removed     BIGINT NOT NULL DEFAULT 0,
    scanned_to  TEXT NOT NULL DEFAULT '',
    due_at_ms   BIGINT NOT NULL DEFAULT 0,
    -- When it was last begun with its first row: those that were passed over are looked at again then.
    begun_at_ms BIGINT NOT NULL DEFAULT 0
);

-- Tasks that one worker does for all.
CREATE TABLE single_tasks (
    name     TEXT PRIMARY KEY,
    holder   TEXT NOT NULL,
    until_ms BIGINT NOT NULL
);

-- Rows go a thousand at a time, all day long: the room is given back before a fifth of the table is dead.
ALTER TABLE commands SET (autovacuum_vacuum_scale_factor = 0.05);
ALTER TABLE events SET (autovacuum_vacuum_scale_factor = 0.05);
