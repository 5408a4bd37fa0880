-- Whether a content is the base of others is asked each time that the same configuration is kept again.
CREATE INDEX config_contents_base ON config_contents (base_hash) WHERE base_hash IS NOT NULL;
-- The newest push of a switch.
CREATE INDEX pushes_switch ON pushes (switch, id);
