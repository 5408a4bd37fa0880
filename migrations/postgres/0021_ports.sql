-- The ports of each row, with an index for "what is on this switch" and one for "what has this server": JSON gives none.
-- `virtual_macs.switch_bindings` is what counts: triggers keep this table in step with it, whichever statement changed it.
-- Of a large table this takes longer than a statement usually may.
SET LOCAL statement_timeout = 0;

CREATE TABLE virtual_mac_ports (
    switch    TEXT COLLATE "C" NOT NULL,
    vmac_id   BIGINT NOT NULL,
    interface TEXT COLLATE "C" NOT NULL,
    -- The server whose port it is.
    server_id BIGINT NOT NULL,
    PRIMARY KEY (switch, vmac_id, interface)
);

CREATE FUNCTION virtual_mac_ports_of(vmac_id BIGINT, server_id BIGINT, switch_bindings JSONB)
RETURNS SETOF virtual_mac_ports LANGUAGE sql IMMUTABLE AS $$
    SELECT DISTINCT ON (port->>'switch', port->>'interface') port->>'switch', vmac_id, port->>'interface',
        COALESCE(CAST(port->>'server_id' AS BIGINT), server_id)
    FROM jsonb_array_elements(switch_bindings) AS port
$$;

INSERT INTO virtual_mac_ports
    SELECT ports.* FROM virtual_macs v, virtual_mac_ports_of(v.id, v.server_id, v.switch_bindings) AS ports;
CREATE INDEX virtual_mac_ports_server ON virtual_mac_ports (server_id, vmac_id);

CREATE FUNCTION virtual_mac_ports_add() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO virtual_mac_ports
        SELECT ports.* FROM new_rows v, virtual_mac_ports_of(v.id, v.server_id, v.switch_bindings) AS ports;
    RETURN NULL;
END
$$;
CREATE TRIGGER ports_of_new_rows AFTER INSERT ON virtual_macs REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION virtual_mac_ports_add();

CREATE FUNCTION virtual_mac_ports_change() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    DELETE FROM virtual_mac_ports WHERE vmac_id = OLD.id
        AND switch = ANY(ARRAY(SELECT port->>'switch' FROM jsonb_array_elements(OLD.switch_bindings) AS port));
    INSERT INTO virtual_mac_ports
        SELECT * FROM virtual_mac_ports_of(NEW.id, NEW.server_id, NEW.switch_bindings);
    RETURN NULL;
END
$$;
-- A push changes the state of ports and leaves all of these alone; comparing them here costs a tenth of calling the function.
-- A port that names no server is the row's own; where some do not, the lists of servers do not say whose is whose.
CREATE TRIGGER ports_of_changed_rows AFTER UPDATE OF server_id, switch_bindings ON virtual_macs FOR EACH ROW
    WHEN (OLD.server_id <> NEW.server_id
        OR jsonb_path_exists(NEW.switch_bindings, '$[*] ? (!exists(@.server_id))')
        OR jsonb_path_query_array(OLD.switch_bindings, '$[*].server_id')
            <> jsonb_path_query_array(NEW.switch_bindings, '$[*].server_id')
        OR jsonb_path_query_array(OLD.switch_bindings, '$[*].switch')
            <> jsonb_path_query_array(NEW.switch_bindings, '$[*].switch')
        OR jsonb_path_query_array(OLD.switch_bindings, '$[*].interface')
            <> jsonb_path_query_array(NEW.switch_bindings, '$[*].interface'))
    EXECUTE FUNCTION virtual_mac_ports_change();
