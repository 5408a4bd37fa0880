-- The ports of each row, with an index for "what is on this switch" and one for "what has this server": JSON gives none.
-- `virtual_macs.switch_bindings` is what counts: triggers keep this table in step with it, whichever statement changed it.
CREATE TABLE virtual_mac_ports (
    switch    TEXT NOT NULL,
    vmac_id   INTEGER NOT NULL,
    interface TEXT NOT NULL,
    -- The server whose port it is.
    server_id INTEGER NOT NULL,
    PRIMARY KEY (switch, vmac_id, interface)
) WITHOUT ROWID;

INSERT INTO virtual_mac_ports
    SELECT port.value->>'switch', v.id, port.value->>'interface', COALESCE(MAX(port.value->>'server_id'), v.server_id)
    FROM virtual_macs v, json_each(v.switch_bindings) AS port GROUP BY v.id, port.value->>'switch', port.value->>'interface';
CREATE INDEX virtual_mac_ports_server ON virtual_mac_ports (server_id, vmac_id);

CREATE TRIGGER ports_of_new_rows AFTER INSERT ON virtual_macs
BEGIN
    INSERT INTO virtual_mac_ports
        SELECT port.value->>'switch', NEW.id, port.value->>'interface', COALESCE(MAX(port.value->>'server_id'), NEW.server_id)
        FROM json_each(NEW.switch_bindings) AS port GROUP BY port.value->>'switch', port.value->>'interface';
END;

CREATE TRIGGER ports_of_changed_rows AFTER UPDATE OF server_id, switch_bindings ON virtual_macs
WHEN (SELECT json_group_array(json_array(port.value->>'switch', port.value->>'interface', COALESCE(port.value->>'server_id', OLD.server_id)))
      FROM json_each(OLD.switch_bindings) AS port)
    <> (SELECT json_group_array(json_array(port.value->>'switch', port.value->>'interface', COALESCE(port.value->>'server_id', NEW.server_id)))
        FROM json_each(NEW.switch_bindings) AS port)
BEGIN
    DELETE FROM virtual_mac_ports WHERE vmac_id = OLD.id
        AND switch IN (SELECT port.value->>'switch' FROM json_each(OLD.switch_bindings) AS port);
    INSERT INTO virtual_mac_ports
        SELECT port.value->>'switch', NEW.id, port.value->>'interface', COALESCE(MAX(port.value->>'server_id'), NEW.server_id)
        FROM json_each(NEW.switch_bindings) AS port GROUP BY port.value->>'switch', port.value->>'interface';
END;
