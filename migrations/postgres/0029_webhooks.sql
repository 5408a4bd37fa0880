-- Addresses that events are sent to over HTTP, and each event on its way to each of them (docs/WEBHOOKS.md).
CREATE TABLE webhooks (
    id                 BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name               TEXT COLLATE "C" NOT NULL,
    url                TEXT NOT NULL,
    form               TEXT NOT NULL CHECK (form IN ('standard', 'slack')),
    -- Each a JSON list of texts; an empty one lets everything through.
    event_patterns     JSONB NOT NULL,
    sites              JSONB NOT NULL,
    reference_prefixes JSONB NOT NULL,
    secret             TEXT NOT NULL,
    -- Signs too until then, while receivers change to the other.
    previous_secret    TEXT,
    previous_until     TIMESTAMPTZ,
    paused_at          TIMESTAMPTZ,
    -- Why nothing is queued for it any more: its receiver answered that it is gone.
    disabled_reason    TEXT,
    created_at         TIMESTAMPTZ NOT NULL
);
CREATE UNIQUE INDEX webhooks_name ON webhooks (name);

-- No foreign keys: an event that is being written must never wait for, or fail on, a webhook that is being removed.
CREATE TABLE webhook_deliveries (
    id               BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    webhook_id       BIGINT NOT NULL,
    event_id         BIGINT NOT NULL,
    -- What keeps an order: the address; an event without one is alone.
    order_key        TEXT COLLATE "C" NOT NULL,
    state            TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'delivered', 'dead')),
    attempts         BIGINT NOT NULL DEFAULT 0,
    next_at_ms       BIGINT NOT NULL DEFAULT 0,
    -- From when its time counts: when it was queued, replayed, or its webhook resumed.
    since_ms         BIGINT NOT NULL,
    claimed_until_ms BIGINT NOT NULL DEFAULT 0,
    claim_token      TEXT,
    -- What came back the first and the last time.
    first_answer     TEXT,
    last_answer      TEXT,
    last_tried_at    TIMESTAMPTZ,
    created_at       TIMESTAMPTZ NOT NULL,
    ended_at         TIMESTAMPTZ
);
CREATE UNIQUE INDEX webhook_deliveries_event ON webhook_deliveries (event_id, webhook_id);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (webhook_id, next_at_ms, event_id) WHERE state = 'waiting';
CREATE INDEX webhook_deliveries_order ON webhook_deliveries (webhook_id, order_key, event_id) WHERE state = 'waiting';
CREATE INDEX webhook_deliveries_dead ON webhook_deliveries (webhook_id, id) WHERE state = 'dead';
ALTER TABLE webhook_deliveries SET (autovacuum_vacuum_scale_factor = 0.05);

-- Queues each event for the webhooks that want it, in the transaction that writes it, whichever version's worker does.
CREATE FUNCTION webhook_deliveries_add() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM webhooks) THEN
        RETURN NULL;
    END IF;
    INSERT INTO webhook_deliveries (webhook_id, event_id, order_key, since_ms, created_at)
    SELECT h.id, e.id, COALESCE(e.body->>'ip_address', 'event ' || e.id),
        CAST(EXTRACT(EPOCH FROM e.created_at) * 1000 AS BIGINT), e.created_at
    FROM new_events e, webhooks h
    WHERE h.disabled_reason IS NULL
        AND (h.event_patterns = '[]' OR EXISTS (SELECT 1 FROM jsonb_array_elements_text(h.event_patterns) AS p(pattern)
            WHERE e.routing_key LIKE replace(replace(p.pattern, '_', '\_'), '*', '%')
                AND length(replace(e.routing_key, '.', '')) - length(e.routing_key)
                    = length(replace(p.pattern, '.', '')) - length(p.pattern)))
        AND (h.reference_prefixes = '[]' OR EXISTS (
            SELECT 1 FROM jsonb_array_elements_text(h.reference_prefixes) AS p(prefix)
            WHERE substr(e.body->>'reference', 1, length(p.prefix)) = p.prefix))
        AND (h.sites = '[]' OR EXISTS (SELECT 1 FROM switches s WHERE h.sites @> to_jsonb(s.site) AND (
            s.name = ANY(ARRAY(SELECT b->>'switch' FROM jsonb_array_elements(e.body->'switch_bindings') AS b))
            OR s.name = ANY(ARRAY(SELECT p.switch FROM server_ports p
                WHERE p.server_id = CAST(e.body->>'server_id' AS BIGINT))))));
    RETURN NULL;
END
$$;
CREATE TRIGGER webhook_deliveries_of_new_events AFTER INSERT ON events REFERENCING NEW TABLE AS new_events
    FOR EACH STATEMENT EXECUTE FUNCTION webhook_deliveries_add();
