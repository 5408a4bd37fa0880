-- Who had an address before, where its row went on: a move, a rotation, a group that changed, a revoked row that came to life
-- again. Written by a trigger, so that nothing that changes a row can forget it.
CREATE TABLE past_holders (
    id           BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    vmac_id      BIGINT NOT NULL,
    ip_address   TEXT COLLATE "C" NOT NULL,
    server_id    BIGINT NOT NULL,
    mac_address  TEXT COLLATE "C" NOT NULL,
    -- As `virtual_macs.past_ports`.
    ports        TEXT,
    requested_by TEXT,
    reference    TEXT,
    -- Until when it was so, and since when it was otherwise: not the same where the row was revoked in between.
    held_until   TIMESTAMPTZ NOT NULL,
    next_from    TIMESTAMPTZ NOT NULL
);
CREATE INDEX past_holders_ip ON past_holders (ip_address, id);

-- The ports of a row in a few words: server, switch, interface, and the VLAN where it is known, parted by `;`.
CREATE FUNCTION past_ports_of(server_id BIGINT, switch_bindings JSONB) RETURNS TEXT LANGUAGE sql IMMUTABLE AS $$
    SELECT string_agg(concat_ws(' ', COALESCE(port->>'server_id', CAST(server_id AS TEXT)), port->>'switch',
        port->>'interface', port->>'vlan'), ';')
    FROM jsonb_array_elements(switch_bindings) AS port WHERE COALESCE(port->>'leaving', 'false') <> 'true'
$$;

CREATE FUNCTION past_holders_add() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO past_holders (vmac_id, ip_address, server_id, mac_address, ports, requested_by, reference, held_until,
        next_from)
    VALUES (OLD.id, OLD.ip_address, OLD.server_id, OLD.mac_address,
        COALESCE(OLD.past_ports, past_ports_of(OLD.server_id, OLD.switch_bindings)), OLD.requested_by, OLD.reference,
        COALESCE(OLD.revoked_at, NEW.updated_at), NEW.updated_at);
    RETURN NULL;
END
$$;
CREATE TRIGGER past_holders_of_changed_rows AFTER UPDATE OF server_id, mac_address, switch_bindings, revoked_at
    ON virtual_macs FOR EACH ROW
    WHEN (NEW.revoked_at IS NULL AND (OLD.server_id <> NEW.server_id OR OLD.mac_address <> NEW.mac_address
        OR OLD.revoked_at IS NOT NULL
        OR (OLD.group_name IS NOT NULL
            AND jsonb_path_query_array(OLD.switch_bindings, '$[*] ? (!(@.leaving == true)).server_id')
                <> jsonb_path_query_array(NEW.switch_bindings, '$[*] ? (!(@.leaving == true)).server_id'))))
    EXECUTE FUNCTION past_holders_add();

-- Rotations of before; moves of before are in the events alone.
INSERT INTO past_holders (vmac_id, ip_address, server_id, mac_address, held_until, next_from)
    SELECT vmac_id, ip_address, server_id, mac_address, created_at, created_at FROM taken_macs
    WHERE kind = 'former' AND vmac_id IS NOT NULL AND ip_address IS NOT NULL AND server_id IS NOT NULL
    ORDER BY created_at;
