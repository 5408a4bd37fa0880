-- Logins to the pages: the hash of what the browser's cookie holds together with the API token; milliseconds since 1970.
CREATE TABLE page_sessions (
    key          TEXT PRIMARY KEY,
    opened_at_ms INTEGER NOT NULL,
    used_at_ms   INTEGER NOT NULL
);
