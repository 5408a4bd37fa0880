-- MACs that are not to be handed out although no row has them.
CREATE TABLE taken_macs (
    mac_address TEXT PRIMARY KEY,
    -- reserved: for a server's address, until it is created; former: a rotation took it off a row;
    -- elsewhere: something that is not vmacd's uses it.
    kind        TEXT NOT NULL CHECK (kind IN ('reserved', 'former', 'elsewhere')),
    server_id   INTEGER,
    ip_address  TEXT,
    vmac_id     INTEGER,
    pool        TEXT,
    -- Where it was read, such as netbox, and what was said of it there.
    source      TEXT,
    note        TEXT,
    created_at  TEXT NOT NULL
);
CREATE UNIQUE INDEX taken_macs_reserved ON taken_macs (server_id, ip_address) WHERE kind = 'reserved';
CREATE INDEX taken_macs_kind ON taken_macs (kind, mac_address);
CREATE INDEX taken_macs_vmac ON taken_macs (vmac_id) WHERE vmac_id IS NOT NULL;
