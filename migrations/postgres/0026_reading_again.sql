-- What is read again from the archive of commands is looked up by what its message is.
CREATE INDEX commands_without_id ON commands (message_identity) WHERE message_id IS NULL;
CREATE INDEX dead_letters_identity ON dead_letters (message_identity);
