-- Each running worker writes its row every few seconds, so that pages can say who runs, since when, and who was last heard
-- of when. A worker that stops in order takes its row away.
CREATE TABLE workers (
    name              TEXT PRIMARY KEY,
    version           TEXT NOT NULL,
    started_at_ms     BIGINT NOT NULL,
    heard_at_ms       BIGINT NOT NULL,
    -- Since when it has no connection to the broker, while it has none.
    broker_lost_at_ms BIGINT,
    -- What is wrong with its tasks.
    trouble           TEXT
);
