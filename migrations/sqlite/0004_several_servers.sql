-- A row may have ports of several servers: of those that share its address, and of one that it leaves.
ALTER TABLE virtual_macs ADD COLUMN group_name TEXT;
CREATE INDEX virtual_macs_group ON virtual_macs (id) WHERE group_name IS NOT NULL;
-- What the intent wants of this server; a move wants two things. Empty: what its action wants.
ALTER TABLE intents ADD COLUMN wants TEXT CHECK (wants IN ('bound', 'unbound'));
