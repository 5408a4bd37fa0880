-- All tables. Times are UTC; `*_ms` columns are milliseconds since 1970.

CREATE TABLE switches (
    name               TEXT PRIMARY KEY,
    host               TEXT NOT NULL,
    port               INTEGER NOT NULL,
    host_key           TEXT,
    dialect            TEXT NOT NULL,
    dialect_found      TEXT,
    ssh_profile        TEXT NOT NULL,
    credential         TEXT NOT NULL,
    -- The circuit: after failures in a row to reach the switch it is not tried for a while.
    circuit_failures   INTEGER NOT NULL DEFAULT 0,
    circuit_open_until TEXT,
    circuit_reason     TEXT,
    last_seen_at       TEXT,
    created_at         TEXT NOT NULL,
    updated_at         TEXT NOT NULL
);

CREATE TABLE servers (
    id         INTEGER PRIMARY KEY,
    pxe_mac    TEXT NOT NULL,
    primary_ip TEXT UNIQUE,
    vlan_name  TEXT,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
);
CREATE INDEX servers_pxe_mac ON servers (pxe_mac);

CREATE TABLE server_ports (
    server_id INTEGER NOT NULL REFERENCES servers (id) ON DELETE CASCADE,
    switch    TEXT NOT NULL REFERENCES switches (name),
    interface TEXT NOT NULL,
    PRIMARY KEY (server_id, switch, interface)
);

CREATE TABLE virtual_macs (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    server_id       INTEGER NOT NULL,
    ip_address      TEXT NOT NULL,
    -- Unique over all rows, revoked ones too: a MAC is never handed out twice.
    mac_address     TEXT NOT NULL UNIQUE,
    vlan_name       TEXT,
    status          TEXT NOT NULL CHECK (status IN ('pending', 'active', 'failed', 'revoked')),
    desired         TEXT NOT NULL CHECK (desired IN ('bound', 'unbound')),
    -- Grows whenever the intent of the row changes; a push's result for an older one finishes nothing.
    generation      INTEGER NOT NULL DEFAULT 1,
    switch_bindings TEXT NOT NULL,
    failure_code    TEXT,
    failure_text    TEXT,
    attempts        INTEGER NOT NULL DEFAULT 0,
    requested_by    TEXT,
    reference       TEXT,
    created_at      TEXT NOT NULL,
    updated_at      TEXT NOT NULL,
    activated_at    TEXT,
    revoked_at      TEXT
);
CREATE UNIQUE INDEX virtual_macs_live_ip ON virtual_macs (ip_address) WHERE status <> 'revoked';
CREATE INDEX virtual_macs_ip ON virtual_macs (ip_address, id);
CREATE INDEX virtual_macs_status ON virtual_macs (status, id);
CREATE INDEX virtual_macs_server ON virtual_macs (server_id, id);

-- The inbox: one row per message key.
CREATE TABLE commands (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    message_key    TEXT NOT NULL UNIQUE,
    message_id     TEXT,
    action         TEXT NOT NULL,
    server_id      INTEGER NOT NULL,
    ip_address     TEXT NOT NULL,
    issued_at_ms   INTEGER NOT NULL,
    body_hash      TEXT NOT NULL,
    body           BLOB NOT NULL,
    correlation_id TEXT,
    traceparent    TEXT,
    vmac_id        INTEGER REFERENCES virtual_macs (id),
    replay_number  INTEGER NOT NULL DEFAULT 0,
    attempts       INTEGER NOT NULL DEFAULT 0,
    outcome        TEXT CHECK (outcome IN ('active', 'revoked', 'superseded', 'failed')),
    outcome_code   TEXT,
    outcome_text   TEXT,
    -- When its message is due back, for the sweeper.
    due_at_ms      INTEGER NOT NULL,
    received_at    TEXT NOT NULL,
    finished_at    TEXT
);
CREATE INDEX commands_open_address ON commands (server_id, ip_address) WHERE outcome IS NULL;
CREATE INDEX commands_open_due ON commands (due_at_ms) WHERE outcome IS NULL;
CREATE INDEX commands_vmac ON commands (vmac_id);

-- The newest intent for each (server, address), also where there never was a row.
CREATE TABLE intents (
    server_id    INTEGER NOT NULL,
    ip_address   TEXT NOT NULL,
    issued_at_ms INTEGER NOT NULL,
    action       TEXT NOT NULL,
    message_key  TEXT NOT NULL,
    PRIMARY KEY (server_id, ip_address)
);

-- What waits for a switch.
CREATE TABLE switch_work (
    switch       TEXT NOT NULL,
    vmac_id      INTEGER NOT NULL REFERENCES virtual_macs (id),
    queued_at_ms INTEGER NOT NULL,
    PRIMARY KEY (switch, vmac_id)
);
CREATE INDEX switch_work_oldest ON switch_work (switch, queued_at_ms, vmac_id);

CREATE TABLE switch_leases (
    switch     TEXT PRIMARY KEY,
    holder     TEXT NOT NULL,
    -- The fencing token: grows with every acquisition, for ever.
    token      INTEGER NOT NULL,
    expires_at TEXT NOT NULL
);

CREATE TABLE config_contents (
    content_hash TEXT PRIMARY KEY,
    zstd         BLOB NOT NULL,
    bytes        INTEGER NOT NULL
);

CREATE TABLE config_backups (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    switch       TEXT NOT NULL,
    content_hash TEXT NOT NULL REFERENCES config_contents (content_hash),
    push_id      TEXT,
    taken_at     TEXT NOT NULL
);
CREATE INDEX config_backups_switch ON config_backups (switch, id);

-- The journal: written before a commit is sent, completed after.
CREATE TABLE pushes (
    id          TEXT PRIMARY KEY,
    switch      TEXT NOT NULL,
    lease_token INTEGER NOT NULL,
    worker      TEXT NOT NULL,
    state       TEXT NOT NULL,
    plan        TEXT NOT NULL,
    backup_id   INTEGER,
    changes     INTEGER NOT NULL,
    error       TEXT,
    started_at  TEXT NOT NULL,
    sent_at     TEXT,
    finished_at TEXT
);
CREATE INDEX pushes_unresolved ON pushes (switch) WHERE finished_at IS NULL;

-- The audit trail and the outbox.
CREATE TABLE events (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    routing_key      TEXT NOT NULL,
    body             TEXT NOT NULL,
    message_key      TEXT,
    correlation_id   TEXT,
    traceparent      TEXT,
    vmac_id          INTEGER,
    created_at       TEXT NOT NULL,
    claimed_until_ms INTEGER NOT NULL DEFAULT 0,
    published_at     TEXT
);
CREATE INDEX events_unpublished ON events (id) WHERE published_at IS NULL;
CREATE INDEX events_vmac ON events (vmac_id, id);

CREATE TABLE dead_letters (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    dedupe_key      TEXT NOT NULL UNIQUE,
    message_id      TEXT,
    message_key     TEXT,
    correlation_id  TEXT,
    traceparent     TEXT,
    routing_key     TEXT NOT NULL,
    issued_at_ms    INTEGER,
    replay_number   INTEGER NOT NULL DEFAULT 0,
    body            BLOB NOT NULL,
    headers         TEXT NOT NULL,
    reason_code     TEXT NOT NULL,
    error_text      TEXT NOT NULL,
    attempts        INTEGER NOT NULL,
    switch          TEXT,
    server_id       INTEGER,
    ip_address      TEXT,
    first_failed_at TEXT NOT NULL,
    last_failed_at  TEXT NOT NULL,
    collected_at    TEXT NOT NULL,
    state           TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'replayed', 'discarded')),
    replays         INTEGER NOT NULL DEFAULT 0,
    replayed_at     TEXT,
    discarded_at    TEXT
);
CREATE INDEX dead_letters_waiting ON dead_letters (id) WHERE state = 'waiting';

-- The embedded queue.
CREATE TABLE queue_messages (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    queue            TEXT NOT NULL,
    -- Properties and headers as the broker module writes them.
    properties       TEXT NOT NULL,
    body             BLOB NOT NULL,
    available_at_ms  INTEGER NOT NULL,
    claim_token      TEXT,
    deliveries       INTEGER NOT NULL DEFAULT 0,
    enqueued_at_ms   INTEGER NOT NULL
);
CREATE INDEX queue_messages_next ON queue_messages (queue, available_at_ms, id);
