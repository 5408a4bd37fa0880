-- Where on a switch one MAC may stand for one address only: what the inventory says, and what the switch showed by refusing
-- or holding it.
ALTER TABLE switches ADD COLUMN duplicates TEXT NOT NULL DEFAULT 'auto';
ALTER TABLE switches ADD COLUMN duplicates_found TEXT;
