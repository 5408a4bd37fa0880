-- A configuration is kept as its difference from an earlier one of the same switch, and sealed when there is a key.
ALTER TABLE config_contents RENAME COLUMN zstd TO packed;
ALTER TABLE config_contents ADD COLUMN base_hash TEXT REFERENCES config_contents (content_hash);
