-- A site may have several freezes: each counts until its own end, and one never ends another. `until` is when it ends
-- or ended.
CREATE TABLE freezes_side_by_side (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    site    TEXT NOT NULL,
    until   TEXT NOT NULL,
    reason  TEXT,
    made_by TEXT NOT NULL,
    made_at TEXT NOT NULL,
    kind    TEXT NOT NULL CHECK (kind IN ('manual', 'automatic'))
);
INSERT INTO freezes_side_by_side (site, until, reason, made_by, made_at, kind)
    SELECT site, until, reason, made_by, made_at, kind FROM freezes;
DROP TABLE freezes;
ALTER TABLE freezes_side_by_side RENAME TO freezes;
CREATE INDEX freezes_until ON freezes (until);
