-- Addresses that events are sent to over HTTP, and each event on its way to each of them (docs/WEBHOOKS.md).
CREATE TABLE webhooks (
    id                 INTEGER PRIMARY KEY AUTOINCREMENT,
    name               TEXT NOT NULL,
    url                TEXT NOT NULL,
    form               TEXT NOT NULL CHECK (form IN ('standard', 'slack')),
    -- Each a JSON list of texts; an empty one lets everything through.
    event_patterns     TEXT NOT NULL CHECK (json_valid(event_patterns)),
    sites              TEXT NOT NULL CHECK (json_valid(sites)),
    reference_prefixes TEXT NOT NULL CHECK (json_valid(reference_prefixes)),
    secret             TEXT NOT NULL,
    -- Signs too until then, while receivers change to the other.
    previous_secret    TEXT,
    previous_until     TEXT,
    paused_at          TEXT,
    -- Why nothing is queued for it any more: its receiver answered that it is gone.
    disabled_reason    TEXT,
    created_at         TEXT NOT NULL
);
CREATE UNIQUE INDEX webhooks_name ON webhooks (name);

-- No foreign keys: an event that is being written must never wait for, or fail on, a webhook that is being removed.
CREATE TABLE webhook_deliveries (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    webhook_id       INTEGER NOT NULL,
    event_id         INTEGER NOT NULL,
    -- What keeps an order: the address; an event without one is alone.
    order_key        TEXT NOT NULL,
    state            TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'delivered', 'dead')),
    attempts         INTEGER NOT NULL DEFAULT 0,
    next_at_ms       INTEGER NOT NULL DEFAULT 0,
    -- From when its time counts: when it was queued, replayed, or its webhook resumed.
    since_ms         INTEGER NOT NULL,
    claimed_until_ms INTEGER NOT NULL DEFAULT 0,
    claim_token      TEXT,
    -- What came back the first and the last time.
    first_answer     TEXT,
    last_answer      TEXT,
    last_tried_at    TEXT,
    created_at       TEXT NOT NULL,
    ended_at         TEXT
);
CREATE UNIQUE INDEX webhook_deliveries_event ON webhook_deliveries (event_id, webhook_id);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (webhook_id, next_at_ms, event_id) WHERE state = 'waiting';
CREATE INDEX webhook_deliveries_order ON webhook_deliveries (webhook_id, order_key, event_id) WHERE state = 'waiting';
CREATE INDEX webhook_deliveries_dead ON webhook_deliveries (webhook_id, id) WHERE state = 'dead';

-- Queues each event for the webhooks that want it, in the transaction that writes it, whichever version's worker does.
CREATE TRIGGER webhook_deliveries_of_new_events AFTER INSERT ON events WHEN EXISTS (SELECT 1 FROM webhooks)
BEGIN
    INSERT INTO webhook_deliveries (webhook_id, event_id, order_key, since_ms, created_at)
    SELECT h.id, NEW.id, COALESCE(NEW.body->>'ip_address', 'event ' || NEW.id),
        CAST(unixepoch(NEW.created_at, 'subsec') * 1000 AS INTEGER), NEW.created_at
    FROM webhooks h
    WHERE h.disabled_reason IS NULL
        AND (h.event_patterns = '[]' OR EXISTS (SELECT 1 FROM json_each(h.event_patterns) AS p
            WHERE NEW.routing_key LIKE replace(replace(p.value, '_', '\_'), '*', '%') ESCAPE '\'
                AND length(replace(NEW.routing_key, '.', '')) - length(NEW.routing_key)
                    = length(replace(p.value, '.', '')) - length(p.value)))
        AND (h.reference_prefixes = '[]' OR EXISTS (SELECT 1 FROM json_each(h.reference_prefixes) AS p
            WHERE substr(NEW.body->>'reference', 1, length(p.value)) = p.value))
        AND (h.sites = '[]' OR EXISTS (SELECT 1 FROM switches s
            WHERE s.site IN (SELECT value FROM json_each(h.sites)) AND (
                s.name IN (SELECT b.value->>'switch' FROM json_each(NEW.body->'switch_bindings') AS b)
                OR s.name IN (SELECT p.switch FROM server_ports p WHERE p.server_id = NEW.body->>'server_id'))));
END;
