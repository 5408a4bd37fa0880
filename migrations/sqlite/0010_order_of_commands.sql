-- The order of commands for an address (decision 0022): by the time of issue, and by arrival where times do not decide.
-- `issued_rank` is what comes first within a millisecond; `last_*` the last place of all commands that came for the address,
-- whatever became of them.
ALTER TABLE commands ADD COLUMN issued_rank INTEGER NOT NULL DEFAULT 0;
ALTER TABLE commands ADD COLUMN arrival INTEGER NOT NULL DEFAULT 0;
ALTER TABLE intents ADD COLUMN issued_rank INTEGER NOT NULL DEFAULT 0;
ALTER TABLE intents ADD COLUMN arrival INTEGER NOT NULL DEFAULT 0;
ALTER TABLE intents ADD COLUMN last_issued_at_ms INTEGER NOT NULL DEFAULT -1;
ALTER TABLE intents ADD COLUMN last_issued_rank INTEGER NOT NULL DEFAULT 0;
ALTER TABLE intents ADD COLUMN last_arrival INTEGER NOT NULL DEFAULT 0;

-- Until now a revoke was the newer of two commands of one millisecond.
UPDATE commands SET issued_rank = CASE action WHEN 'revoke' THEN 4 WHEN 'move' THEN 3 WHEN 'rotate' THEN 2 ELSE 1 END
    WHERE outcome IS NULL;
UPDATE intents SET issued_rank = CASE action WHEN 'revoke' THEN 4 WHEN 'move' THEN 3 WHEN 'rotate' THEN 2 ELSE 1 END;
UPDATE intents SET last_issued_at_ms = issued_at_ms, last_issued_rank = issued_rank;

-- What a dead letter needs to keep its place when it is replayed.
ALTER TABLE dead_letters ADD COLUMN sent_timestamp INTEGER;
ALTER TABLE dead_letters ADD COLUMN arrival INTEGER;
