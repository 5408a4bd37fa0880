-- When it was last looked at which of a switch's bindings are in force: once for the switch, so that rows are written only
-- where something changed.
ALTER TABLE switches ADD COLUMN in_force_seen_at TEXT;
