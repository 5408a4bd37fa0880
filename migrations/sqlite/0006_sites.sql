-- Sites: switches that stand together, are frozen together and whose commits are bounded together.
ALTER TABLE switches ADD COLUMN site TEXT;

-- The newest freeze of each site; thawing it ends it now. `*` stands for all sites, `-` for the switches without one.
CREATE TABLE freezes (
    site    TEXT PRIMARY KEY,
    until   TEXT NOT NULL,
    reason  TEXT,
    made_by TEXT NOT NULL,
    made_at TEXT NOT NULL,
    kind    TEXT NOT NULL CHECK (kind IN ('manual', 'automatic'))
);

-- When the worker that made a push saw that its commit was rolled back, or lost the switch after it.
ALTER TABLE pushes ADD COLUMN failed_at TEXT;
CREATE INDEX pushes_failed ON pushes (failed_at) WHERE failed_at IS NOT NULL;
-- How many commits a site had of late.
CREATE INDEX pushes_sent ON pushes (sent_at) WHERE sent_at IS NOT NULL;
