-- From here on rows alone drive the work: a message is acknowledged once its command is durable.
-- Of a large table this takes longer than a statement usually may.
SET LOCAL statement_timeout = 0;

-- What waits for a switch: when it is to be tried, how often it failed by its own fault, and why it waits.
-- `failing_from_ms` is what the switch's `failing_ms` was when the row first waited for the switch's trouble to pass.
ALTER TABLE switch_work ADD COLUMN due_at_ms BIGINT NOT NULL DEFAULT 0;
ALTER TABLE switch_work ADD COLUMN attempts BIGINT NOT NULL DEFAULT 0;
ALTER TABLE switch_work ADD COLUMN first_failed_at_ms BIGINT;
ALTER TABLE switch_work ADD COLUMN failing_from_ms BIGINT;
ALTER TABLE switch_work ADD COLUMN reason_code TEXT;
ALTER TABLE switch_work ADD COLUMN reason_text TEXT;
ALTER TABLE switch_work ADD COLUMN told_at_ms BIGINT;
UPDATE switch_work SET due_at_ms = queued_at_ms;
DROP INDEX switch_work_oldest;
CREATE INDEX switch_work_due ON switch_work (switch, due_at_ms, vmac_id);
ALTER TABLE switch_work SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

-- One row for each switch, made with it and never removed, because the token must never fall. A switch in trouble is not
-- tried before `next_try_at_ms`. `failing_ms` grows by the time for which it was tried in vain, and by nothing else.
ALTER TABLE switch_leases ADD COLUMN expires_at_ms BIGINT NOT NULL DEFAULT 0;
ALTER TABLE switch_leases ADD COLUMN next_try_at_ms BIGINT NOT NULL DEFAULT 0;
ALTER TABLE switch_leases ADD COLUMN failures BIGINT NOT NULL DEFAULT 0;
ALTER TABLE switch_leases ADD COLUMN failing_since_ms BIGINT;
ALTER TABLE switch_leases ADD COLUMN tried_at_ms BIGINT;
ALTER TABLE switch_leases ADD COLUMN failing_ms BIGINT NOT NULL DEFAULT 0;
ALTER TABLE switch_leases ADD COLUMN failure_code TEXT;
ALTER TABLE switch_leases ADD COLUMN failure_text TEXT;
ALTER TABLE switch_leases ADD COLUMN seen_at_ms BIGINT;
ALTER TABLE switch_leases DROP COLUMN expires_at;
INSERT INTO switch_leases (switch, holder, token) SELECT name, '', 0 FROM switches WHERE true ON CONFLICT (switch) DO NOTHING;
INSERT INTO switch_leases (switch, holder, token) SELECT DISTINCT switch, '', 0 FROM switch_work WHERE true
    ON CONFLICT (switch) DO NOTHING;
UPDATE switch_leases SET seen_at_ms = (SELECT CAST(EXTRACT(EPOCH FROM s.last_seen_at) * 1000 AS BIGINT)
    FROM switches s WHERE s.name = switch_leases.switch);
-- Each is written several times for a push, and no index has what changes.
ALTER TABLE switch_leases SET
    (fillfactor = 40, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 100);
ALTER TABLE switches DROP COLUMN circuit_failures;
ALTER TABLE switches DROP COLUMN circuit_open_until;
ALTER TABLE switches DROP COLUMN circuit_reason;
ALTER TABLE switches DROP COLUMN last_seen_at;

-- What a command's dead letter needs of its message. A command that cannot be admitted yet waits here until `due_at_ms`;
-- `waited_ms` is for how long it was made to wait.
DROP INDEX commands_open_due;
ALTER TABLE commands ADD COLUMN headers JSONB NOT NULL DEFAULT '{}';
ALTER TABLE commands ADD COLUMN message_identity TEXT;
ALTER TABLE commands ADD COLUMN sent_timestamp BIGINT;
ALTER TABLE commands ADD COLUMN stamped_at_ms BIGINT;
ALTER TABLE commands ADD COLUMN waited_ms BIGINT NOT NULL DEFAULT 0;
CREATE INDEX commands_waiting ON commands (due_at_ms) WHERE outcome IS NULL AND vmac_id IS NULL;

-- Whose turn it is to admit the messages of a queue: a worker that was paused in its turn finds that it is over.
CREATE TABLE intake_turns (
    queue TEXT PRIMARY KEY,
    turn  BIGINT NOT NULL
);
ALTER TABLE unpublished_events SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

-- The embedded queue hands messages out in their order.
CREATE INDEX queue_messages_order ON queue_messages (queue, id);
DROP INDEX queue_messages_next;
