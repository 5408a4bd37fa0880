-- A dead letter that waits speaks for every copy of its message; one that was replayed or discarded for none that comes later.
ALTER TABLE dead_letters RENAME COLUMN dedupe_key TO burial_id;
ALTER TABLE dead_letters ADD COLUMN message_identity TEXT;
ALTER TABLE dead_letters ADD COLUMN copies INTEGER NOT NULL DEFAULT 1;
CREATE UNIQUE INDEX dead_letters_waiting_identity ON dead_letters (message_identity) WHERE state = 'waiting';
