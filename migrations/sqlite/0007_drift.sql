-- The slow look at what switches hold. `drift` is the switch's own mode, none where the settings' holds; the due times are
-- milliseconds since 1970; the commit is the newest one that a look saw.
ALTER TABLE switches ADD COLUMN drift TEXT;
ALTER TABLE switches ADD COLUMN drift_due_at_ms INTEGER;
ALTER TABLE switches ADD COLUMN history_due_at_ms INTEGER;
ALTER TABLE switches ADD COLUMN drift_seen_at TEXT;
ALTER TABLE switches ADD COLUMN last_commit_seen TEXT;

-- What was found and stands: told once, and again only when it changes.
CREATE TABLE drift (
    switch    TEXT NOT NULL,
    vmac_id   INTEGER NOT NULL REFERENCES virtual_macs (id),
    interface TEXT NOT NULL,
    kind      TEXT NOT NULL,
    detail    TEXT NOT NULL,
    found_at  TEXT NOT NULL,
    PRIMARY KEY (switch, vmac_id, interface)
);
