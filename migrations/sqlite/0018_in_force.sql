-- Bindings that stand in a switch's configuration and were not in force when it was last asked, and why: few, so that they
-- can be counted. The rows themselves say it too, each in `switch_bindings`.
CREATE TABLE not_in_force (
    switch    TEXT NOT NULL,
    vmac_id   INTEGER NOT NULL REFERENCES virtual_macs (id),
    interface TEXT NOT NULL,
    code      TEXT NOT NULL,
    found_at  TEXT NOT NULL,
    PRIMARY KEY (switch, vmac_id, interface)
);
