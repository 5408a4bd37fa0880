-- Who had an address before, where its row went on: a move, a rotation, a group that changed, a revoked row that came to life
-- again. Written by a trigger, so that nothing that changes a row can forget it.
CREATE TABLE past_holders (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    vmac_id      INTEGER NOT NULL,
    ip_address   TEXT NOT NULL,
    server_id    INTEGER NOT NULL,
    mac_address  TEXT NOT NULL,
    -- As `virtual_macs.past_ports`: server, switch, interface, and the VLAN where it is known, parted by `;`.
    ports        TEXT,
    requested_by TEXT,
    reference    TEXT,
    -- Until when it was so, and since when it was otherwise: not the same where the row was revoked in between.
    held_until   TEXT NOT NULL,
    next_from    TEXT NOT NULL
);
CREATE INDEX past_holders_ip ON past_holders (ip_address, id);

CREATE TRIGGER past_holders_of_changed_rows AFTER UPDATE OF server_id, mac_address, switch_bindings, revoked_at ON virtual_macs
WHEN NEW.revoked_at IS NULL AND (OLD.server_id <> NEW.server_id OR OLD.mac_address <> NEW.mac_address
    OR OLD.revoked_at IS NOT NULL
    OR (OLD.group_name IS NOT NULL
        AND (SELECT json_group_array(port.value->>'server_id') FROM json_each(OLD.switch_bindings) AS port
             WHERE COALESCE(port.value->>'leaving', 0) = 0)
            <> (SELECT json_group_array(port.value->>'server_id') FROM json_each(NEW.switch_bindings) AS port
                WHERE COALESCE(port.value->>'leaving', 0) = 0)))
BEGIN
    INSERT INTO past_holders (vmac_id, ip_address, server_id, mac_address, ports, requested_by, reference, held_until,
        next_from)
    VALUES (OLD.id, OLD.ip_address, OLD.server_id, OLD.mac_address,
        COALESCE(OLD.past_ports, (SELECT group_concat(COALESCE(port.value->>'server_id', OLD.server_id)
            || ' ' || (port.value->>'switch') || ' ' || (port.value->>'interface')
            || COALESCE(' ' || (port.value->>'vlan'), ''), ';')
            FROM json_each(OLD.switch_bindings) AS port WHERE COALESCE(port.value->>'leaving', 0) = 0)),
        OLD.requested_by, OLD.reference, COALESCE(OLD.revoked_at, NEW.updated_at), NEW.updated_at);
END;

-- Rotations of before; moves of before are in the events alone.
INSERT INTO past_holders (vmac_id, ip_address, server_id, mac_address, held_until, next_from)
    SELECT vmac_id, ip_address, server_id, mac_address, created_at, created_at FROM taken_macs
    WHERE kind = 'former' AND vmac_id IS NOT NULL AND ip_address IS NOT NULL AND server_id IS NOT NULL
    ORDER BY created_at;
