-- All tables. Times are UTC; `*_ms` columns are milliseconds since 1970.

CREATE TABLE switches (
    name               TEXT PRIMARY KEY,
    host               TEXT NOT NULL,
    port               BIGINT NOT NULL,
    host_key           TEXT,
    dialect            TEXT NOT NULL,
    dialect_found      TEXT,
    ssh_profile        TEXT NOT NULL,
    credential         TEXT NOT NULL,
    -- The circuit: after failures in a row to reach the switch it is not tried for a while.
    circuit_failures   BIGINT NOT NULL DEFAULT 0,
    circuit_open_until TIMESTAMPTZ,
    circuit_reason     TEXT,
    last_seen_at       TIMESTAMPTZ,
    created_at         TIMESTAMPTZ NOT NULL,
    updated_at         TIMESTAMPTZ NOT NULL
);

CREATE TABLE servers (
    id         BIGINT PRIMARY KEY,
    pxe_mac    TEXT NOT NULL,
    primary_ip TEXT UNIQUE,
    vlan_name  TEXT,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX servers_pxe_mac ON servers (pxe_mac);

CREATE TABLE server_ports (
    server_id BIGINT NOT NULL REFERENCES servers (id) ON DELETE CASCADE,
    switch    TEXT NOT NULL REFERENCES switches (name),
    interface TEXT NOT NULL,
    PRIMARY KEY (server_id, switch, interface)
);

CREATE TABLE virtual_macs (
    id              BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    server_id       BIGINT NOT NULL,
    ip_address      TEXT NOT NULL,
    -- Unique over all rows, revoked ones too: a MAC is never handed out twice.
    mac_address     TEXT NOT NULL UNIQUE,
    vlan_name       TEXT,
    status          TEXT NOT NULL CHECK (status IN ('pending', 'active', 'failed', 'revoked')),
    desired         TEXT NOT NULL CHECK (desired IN ('bound', 'unbound')),
    -- Grows whenever the intent of the row changes; a push's result for an older one finishes nothing.
    generation      BIGINT NOT NULL DEFAULT 1,
    switch_bindings JSONB NOT NULL,
    failure_code    TEXT,
    failure_text    TEXT,
    attempts        BIGINT NOT NULL DEFAULT 0,
    requested_by    TEXT,
    reference       TEXT,
    created_at      TIMESTAMPTZ NOT NULL,
    updated_at      TIMESTAMPTZ NOT NULL,
    activated_at    TIMESTAMPTZ,
    revoked_at      TIMESTAMPTZ
);
CREATE UNIQUE INDEX virtual_macs_live_ip ON virtual_macs (ip_address) WHERE status <> 'revoked';
CREATE INDEX virtual_macs_ip ON virtual_macs (ip_address, id);
CREATE INDEX virtual_macs_status ON virtual_macs (status, id);
CREATE INDEX virtual_macs_server ON virtual_macs (server_id, id);

-- The inbox: one row per message key.
CREATE TABLE commands (
    id             BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    message_key    TEXT NOT NULL UNIQUE,
    message_id     TEXT,
    action         TEXT NOT NULL,
    server_id      BIGINT NOT NULL,
    ip_address     TEXT NOT NULL,
    issued_at_ms   BIGINT NOT NULL,
    body_hash      TEXT NOT NULL,
    body           BYTEA NOT NULL,
    correlation_id TEXT,
    traceparent    TEXT,
    vmac_id        BIGINT REFERENCES virtual_macs (id),
    replay_number  BIGINT NOT NULL DEFAULT 0,
    attempts       BIGINT NOT NULL DEFAULT 0,
    outcome        TEXT CHECK (outcome IN ('active', 'revoked', 'superseded', 'failed')),
    outcome_code   TEXT,
    outcome_text   TEXT,
    -- When its message is due back, for the sweeper.
    due_at_ms      BIGINT NOT NULL,
    received_at    TIMESTAMPTZ NOT NULL,
    finished_at    TIMESTAMPTZ
);
CREATE INDEX commands_open_address ON commands (server_id, ip_address) WHERE outcome IS NULL;
CREATE INDEX commands_open_due ON commands (due_at_ms) WHERE outcome IS NULL;
CREATE INDEX commands_vmac ON commands (vmac_id);

-- The newest intent for each (server, address), also where there never was a row.
CREATE TABLE intents (
    server_id    BIGINT NOT NULL,
    ip_address   TEXT NOT NULL,
    issued_at_ms BIGINT NOT NULL,
    action       TEXT NOT NULL,
    message_key  TEXT NOT NULL,
    PRIMARY KEY (server_id, ip_address)
);

-- What waits for a switch.
CREATE TABLE switch_work (
    switch       TEXT NOT NULL,
    vmac_id      BIGINT NOT NULL REFERENCES virtual_macs (id),
    queued_at_ms BIGINT NOT NULL,
    PRIMARY KEY (switch, vmac_id)
);
CREATE INDEX switch_work_oldest ON switch_work (switch, queued_at_ms, vmac_id);

CREATE TABLE switch_leases (
    switch     TEXT PRIMARY KEY,
    holder     TEXT NOT NULL,
    -- The fencing token: grows with every acquisition, for ever.
    token      BIGINT NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL
);

CREATE TABLE config_contents (
    content_hash TEXT PRIMARY KEY,
    zstd         BYTEA NOT NULL,
    bytes        BIGINT NOT NULL
);

CREATE TABLE config_backups (
    id           BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    switch       TEXT NOT NULL,
    content_hash TEXT NOT NULL REFERENCES config_contents (content_hash),
    push_id      TEXT,
    taken_at     TIMESTAMPTZ NOT NULL
);
CREATE INDEX config_backups_switch ON config_backups (switch, id);

-- The journal: written before a commit is sent, completed after.
CREATE TABLE pushes (
    id          TEXT PRIMARY KEY,
    switch      TEXT NOT NULL,
    lease_token BIGINT NOT NULL,
    worker      TEXT NOT NULL,
    state       TEXT NOT NULL,
    plan        JSONB NOT NULL,
    backup_id   BIGINT,
    changes     BIGINT NOT NULL,
    error       TEXT,
    started_at  TIMESTAMPTZ NOT NULL,
    sent_at     TIMESTAMPTZ,
    finished_at TIMESTAMPTZ
);
CREATE INDEX pushes_unresolved ON pushes (switch) WHERE finished_at IS NULL;

-- The audit trail and the outbox.
CREATE TABLE events (
    id               BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    routing_key      TEXT NOT NULL,
    body             JSONB NOT NULL,
    message_key      TEXT,
    correlation_id   TEXT,
    traceparent      TEXT,
    vmac_id          BIGINT,
    created_at       TIMESTAMPTZ NOT NULL,
    claimed_until_ms BIGINT NOT NULL DEFAULT 0,
    published_at     TIMESTAMPTZ
);
CREATE INDEX events_unpublished ON events (id) WHERE published_at IS NULL;
CREATE INDEX events_vmac ON events (vmac_id, id);

CREATE TABLE dead_letters (
    id              BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dedupe_key      TEXT NOT NULL UNIQUE,
    message_id      TEXT,
    message_key     TEXT,
    correlation_id  TEXT,
    traceparent     TEXT,
    routing_key     TEXT NOT NULL,
    issued_at_ms    BIGINT,
    replay_number   BIGINT NOT NULL DEFAULT 0,
    body            BYTEA NOT NULL,
    headers         JSONB NOT NULL,
    reason_code     TEXT NOT NULL,
    error_text      TEXT NOT NULL,
    attempts        BIGINT NOT NULL,
    switch          TEXT,
    server_id       BIGINT,
    ip_address      TEXT,
    first_failed_at TIMESTAMPTZ NOT NULL,
    last_failed_at  TIMESTAMPTZ NOT NULL,
    collected_at    TIMESTAMPTZ NOT NULL,
    state           TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'replayed', 'discarded')),
    replays         BIGINT NOT NULL DEFAULT 0,
    replayed_at     TIMESTAMPTZ,
    discarded_at    TIMESTAMPTZ
);
CREATE INDEX dead_letters_waiting ON dead_letters (id) WHERE state = 'waiting';

-- The embedded queue.
CREATE TABLE queue_messages (
    id               BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    queue            TEXT NOT NULL,
    -- Properties and headers as the broker module writes them.
    properties       JSONB NOT NULL,
    body             BYTEA NOT NULL,
    available_at_ms  BIGINT NOT NULL,
    claim_token      TEXT,
    deliveries       BIGINT NOT NULL DEFAULT 0,
    enqueued_at_ms   BIGINT NOT NULL
);
CREATE INDEX queue_messages_next ON queue_messages (queue, available_at_ms, id);
