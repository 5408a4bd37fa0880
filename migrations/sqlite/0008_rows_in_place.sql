-- A row that becomes active and an event that is published leave the indexes alone: none holds what changes then.
UPDATE virtual_macs SET revoked_at = updated_at WHERE status = 'revoked' AND revoked_at IS NULL;
UPDATE virtual_macs SET revoked_at = NULL WHERE status <> 'revoked' AND revoked_at IS NOT NULL;
UPDATE virtual_macs SET failure_code = 'refused_by_switch' WHERE status = 'failed' AND failure_code IS NULL;

DROP INDEX virtual_macs_status;
DROP INDEX virtual_macs_live_ip;
DROP INDEX virtual_macs_ip;
CREATE UNIQUE INDEX virtual_macs_live_ip ON virtual_macs (ip_address) WHERE revoked_at IS NULL;
CREATE INDEX virtual_macs_revoked_ip ON virtual_macs (ip_address, id) WHERE revoked_at IS NOT NULL;
CREATE INDEX virtual_macs_failed ON virtual_macs (id) WHERE failure_code IS NOT NULL;

-- The outbox: events of which the broker does not know yet.
CREATE TABLE unpublished_events (
    event_id         INTEGER PRIMARY KEY,
    claimed_until_ms INTEGER NOT NULL
);
INSERT INTO unpublished_events SELECT id, claimed_until_ms FROM events WHERE published_at IS NULL;
DROP INDEX events_unpublished;
ALTER TABLE events DROP COLUMN published_at;
ALTER TABLE events DROP COLUMN claimed_until_ms;
