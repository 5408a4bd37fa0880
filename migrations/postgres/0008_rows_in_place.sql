-- A row that becomes active, a command that ends and an event that is published leave the indexes alone: none holds what
-- changes then, and pages keep room for the row's next version. Texts that are only looked up are compared byte by byte.
-- Of a large table this takes longer than a statement usually may.
SET LOCAL statement_timeout = 0;

DROP INDEX virtual_macs_status;
DROP INDEX virtual_macs_live_ip;
DROP INDEX virtual_macs_ip;
ALTER TABLE virtual_macs ALTER ip_address TYPE TEXT COLLATE "C", ALTER mac_address TYPE TEXT COLLATE "C";
ALTER TABLE commands ALTER message_key TYPE TEXT COLLATE "C", ALTER ip_address TYPE TEXT COLLATE "C";
ALTER TABLE intents ALTER ip_address TYPE TEXT COLLATE "C";
ALTER TABLE switch_work ALTER switch TYPE TEXT COLLATE "C";

-- Rows and commands are never removed, so there is nothing for these to find; they locked and looked up a row for each.
ALTER TABLE commands DROP CONSTRAINT commands_vmac_id_fkey;
ALTER TABLE switch_work DROP CONSTRAINT switch_work_vmac_id_fkey;

UPDATE virtual_macs SET revoked_at = updated_at WHERE status = 'revoked' AND revoked_at IS NULL;
UPDATE virtual_macs SET revoked_at = NULL WHERE status <> 'revoked' AND revoked_at IS NOT NULL;
UPDATE virtual_macs SET failure_code = 'refused_by_switch' WHERE status = 'failed' AND failure_code IS NULL;
ALTER TABLE virtual_macs ADD CHECK ((status = 'revoked') = (revoked_at IS NOT NULL));
ALTER TABLE virtual_macs ADD CHECK (status <> 'failed' OR failure_code IS NOT NULL);

CREATE UNIQUE INDEX virtual_macs_live_ip ON virtual_macs (ip_address) WHERE revoked_at IS NULL;
CREATE INDEX virtual_macs_revoked_ip ON virtual_macs (ip_address, id) WHERE revoked_at IS NOT NULL;
CREATE INDEX virtual_macs_failed ON virtual_macs (id) WHERE failure_code IS NOT NULL;

-- The outbox: events of which the broker does not know yet.
CREATE TABLE unpublished_events (
    event_id         BIGINT PRIMARY KEY,
    claimed_until_ms BIGINT NOT NULL
);
INSERT INTO unpublished_events SELECT id, claimed_until_ms FROM events WHERE published_at IS NULL;
DROP INDEX events_unpublished;
ALTER TABLE events DROP COLUMN published_at, DROP COLUMN claimed_until_ms;

-- Each row is written twice within seconds of its making.
ALTER TABLE virtual_macs SET (fillfactor = 50);
ALTER TABLE intents SET (fillfactor = 50);
