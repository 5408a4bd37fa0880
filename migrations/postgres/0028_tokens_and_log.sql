-- Tokens of the API, each with a name and a role; of the secret there is a hash alone. Milliseconds since 1970.
CREATE TABLE tokens (
    -- Never given twice: the log names it.
    name            TEXT PRIMARY KEY,
    hash            TEXT NOT NULL UNIQUE,
    role            TEXT NOT NULL CHECK (role IN ('viewer', 'producer', 'operator', 'admin')),
    created_at_ms   BIGINT NOT NULL,
    created_by      TEXT NOT NULL,
    expires_at_ms   BIGINT,
    last_used_at_ms BIGINT,
    last_used_from  TEXT,
    revoked_at_ms   BIGINT
);

-- A login with such a token ends with it.
ALTER TABLE page_sessions ADD COLUMN token_name TEXT;

-- What people and tokens changed. Each hash covers the entry and the hash before it.
CREATE TABLE audit_log (
    id      BIGINT PRIMARY KEY,
    at_ms   BIGINT NOT NULL,
    who     TEXT NOT NULL,
    role    TEXT NOT NULL,
    via     TEXT NOT NULL CHECK (via IN ('api', 'page', 'command line', 'vmacd')),
    address TEXT,
    action  TEXT NOT NULL,
    subject TEXT NOT NULL,
    details TEXT NOT NULL,
    hash    TEXT NOT NULL
);
CREATE INDEX audit_log_who ON audit_log (who, id);
CREATE INDEX audit_log_action ON audit_log (action, id);

-- The newest entry: one row, which everybody who writes an entry locks.
CREATE TABLE audit_log_head (
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    last_id BIGINT NOT NULL,
    hash    TEXT NOT NULL
);
INSERT INTO audit_log_head (one, last_id, hash) VALUES (1, 0, '');
