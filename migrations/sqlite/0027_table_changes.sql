-- What each migration is: `additive`, and workers of earlier versions go on with its tables, or `contracting`, and they do
-- not. A worker that finds tables newer than its own reads here whether it may start.
CREATE TABLE table_changes (
    version BIGINT PRIMARY KEY,
    kind    TEXT NOT NULL CHECK (kind IN ('additive', 'contracting'))
);
