use super::*;
use crate::domain::audit::AuditedRow;
use crate::domain::plan::PresentBinding;
use crate::domain::{BindingState, Desired, Server, ServerPort, Status, SwitchBinding};

/// A switch with bindings of interface, address and MAC, all in one VLAN.
fn seen(switch: &str, bindings: &[(&str, &str, &str)]) -> SwitchContents {
    let bindings = bindings.iter().map(|(interface, ip, mac)| {
        PresentBinding::new(
            interface.parse().expect("an interface"),
            ip.parse().expect("an address"),
            Some("VLAN.13".parse().expect("a VLAN")),
            mac.parse().expect("a MAC"),
        )
    });
    SwitchContents { switch: switch.parse().expect("a name"), bindings: bindings.collect(), learned: Vec::new() }
}

fn server(id: i64, ports: &[(&str, &str)]) -> Server {
    let port = |(switch, interface): &(&str, &str)| ServerPort {
        switch: switch.parse().expect("a name"),
        interface: interface.parse().expect("an interface"),
    };
    Server {
        id,
        pxe_mac: format!("0c:c4:7a:00:00:0{id}").parse().expect("a MAC"),
        primary_ip: Some(format!("10.0.0.{id}").parse().expect("an address")),
        vlan_name: None,
        ports: ports.iter().map(port).collect(),
    }
}

fn row(id: i64, server_id: i64, ip: &str, mac: &str, status: Status, at: (&str, &str)) -> AuditedRow {
    let mac: Mac = mac.parse().expect("a MAC");
    let binding = SwitchBinding {
        switch: at.0.parse().expect("a name"),
        server_id: None,
        leaving: false,
        interface: at.1.parse().expect("an interface"),
        vlan: None,
        mac,
        state: BindingState::Bound,
        previous_mac: None,
        backup_id: None,
        push_id: None,
        error: None,
        evidence: Vec::new(),
        in_force: None,
        at: chrono::DateTime::UNIX_EPOCH,
    };
    let ip = ip.parse().expect("an address");
    AuditedRow {
        id,
        server_id,
        ip,
        mac,
        former: Vec::new(),
        status,
        desired: Desired::Bound,
        settled: true,
        bindings: vec![binding],
    }
}

/// Server 1 on one port, server 2 on two switches, server 3 and 4 on the same port.
fn known(rows: Vec<AuditedRow>) -> Records {
    let servers = vec![
        server(1, &[("sw-a", "ge-0/0/1.0")]),
        server(2, &[("sw-a", "ge-0/0/2.0"), ("sw-b", "ge-0/0/2.0")]),
        server(3, &[("sw-a", "ge-0/0/3.0")]),
        server(4, &[("sw-a", "ge-0/0/3.0")]),
    ];
    Records { rows, servers }
}

/// What is refused, as short lines.
fn refusals(seen: &[SwitchContents], known: &Records) -> Vec<String> {
    let adoption = adopt(seen, known);
    let line = |refused: &Refused| {
        let BoundPort { interface, ip, .. } = &refused.place;
        format!("{interface} {}: {}: {}", ip.expect("an address"), refused.reason.as_str(), refused.text)
    };
    adoption.refused.iter().map(line).collect()
}

const MAC: &str = "00:50:56:00:00:01";
const OTHER: &str = "02:5e:10:00:00:02";

#[test]
fn a_binding_becomes_a_row_with_the_port_as_the_switch_names_it() {
    let seen = seen("sw-a", &[("ge-0/0/1", "10.0.0.60", MAC), ("ge-0/0/1", "10.0.0.1", "0c:c4:7a:00:00:01")]);
    let adoption = adopt(&[seen], &known(Vec::new()));
    assert_eq!((adoption.physical, adoption.refused.len(), adoption.ours.len()), (1, 0, 0), "{adoption:?}");
    let [row] = adoption.adoptable.as_slice() else { panic!("{adoption:?}") };
    assert_eq!((row.server_id, row.mac_address.to_string().as_str()), (1, MAC));
    assert_eq!(row.vlan_name.as_ref().map(VlanName::as_str), Some("VLAN.13"));
    assert!(matches!(row.ports.as_slice(), [port] if port.interface.as_str() == "ge-0/0/1"), "{row:?}");
}

#[test]
fn a_server_on_two_switches_needs_both_to_hold_the_same() {
    let held = ("ge-0/0/2.0", "10.0.0.60", MAC);
    let both = [seen("sw-a", &[held]), seen("sw-b", &[held])];
    let adoption = adopt(&both, &known(Vec::new()));
    assert_eq!((adoption.adoptable.len(), adoption.adoptable[0].ports.len()), (1, 2), "{adoption:?}");
    insta::assert_snapshot!(refusals(&both[..1], &known(Vec::new())).join("\n"),
        @"ge-0/0/2.0 10.0.0.60: ports_not_seen: server 2 has ports on sw-b, which was not checked");
    let missing = [seen("sw-a", &[held]), seen("sw-b", &[])];
    insta::assert_snapshot!(refusals(&missing, &known(Vec::new())).join("\n"),
        @"ge-0/0/2.0 10.0.0.60: ports_differ: server 2: sw-b ge-0/0/2.0 does not have it");
    let differs = [seen("sw-a", &[held]), seen("sw-b", &[("ge-0/0/2.0", "10.0.0.60", OTHER)])];
    insta::assert_snapshot!(refusals(&differs, &known(Vec::new())).join("\n"), @"
    ge-0/0/2.0 10.0.0.60: ports_differ: server 2: sw-b ge-0/0/2.0 holds 02:5e:10:00:00:02 in VLAN.13
    ge-0/0/2.0 10.0.0.60: ports_differ: server 2: sw-b ge-0/0/2.0 holds 02:5e:10:00:00:02 in VLAN.13
    ");
}

#[test]
fn what_cannot_be_taken_over_is_named_with_its_reason() {
    let seen = seen(
        "sw-a",
        &[
            ("ge-0/0/9.0", "10.0.0.61", "00:50:56:00:00:09"),
            ("ge-0/0/3.0", "10.0.0.62", "00:50:56:00:00:08"),
            ("ge-0/0/1.0", "10.0.0.2", "00:50:56:00:00:07"),
            ("ge-0/0/1.0", "10.0.0.63", "01:00:5e:00:00:01"),
            ("ge-0/0/1.0", "10.0.0.64", "0c:c4:7a:00:00:02"),
            ("ge-0/0/1.0", "10.0.0.65", OTHER),
            ("ge-0/0/2.0", "10.0.0.66", OTHER),
        ],
    );
    insta::assert_snapshot!(refusals(&[seen], &known(Vec::new())).join("\n"), @"
    ge-0/0/1.0 10.0.0.2: primary_address: 10.0.0.2 is the primary address of server 2, which keeps its PXE MAC
    ge-0/0/1.0 10.0.0.63: not_unicast: 01:00:5e:00:00:01 is not a unicast address
    ge-0/0/1.0 10.0.0.64: pxe_mac: 0c:c4:7a:00:00:02 is the PXE MAC of server 2
    ge-0/0/1.0 10.0.0.65: mac_elsewhere: 02:5e:10:00:00:02 is bound to 10.0.0.66 too, on sw-a ge-0/0/2.0
    ge-0/0/2.0 10.0.0.66: mac_elsewhere: 02:5e:10:00:00:02 is bound to 10.0.0.65 too, on sw-a ge-0/0/1.0
    ge-0/0/3.0 10.0.0.62: several_servers: the inventory has the servers 3, 4 on this port
    ge-0/0/9.0 10.0.0.61: no_server: the inventory has no server on this port
    ");
}

#[test]
fn what_the_rows_have_is_ours_or_stands_in_the_way() {
    let port = ("sw-a", "ge-0/0/1.0");
    let held = |ip, mac| seen("sw-a", &[("ge-0/0/1.0", ip, mac)]);
    let rows = vec![
        row(1, 1, "10.0.0.60", MAC, Status::Active, port),
        row(2, 7, "10.0.0.61", OTHER, Status::Failed, ("sw-z", "ge-0/0/1.0")),
        row(3, 1, "10.0.0.62", "02:5e:10:00:00:03", Status::Revoked, port),
    ];
    let known = known(rows);
    let ours = adopt(&[held("10.0.0.60", MAC)], &known);
    assert!(ours.ours.len() == 1 && ours.adoptable.is_empty() && ours.refused.is_empty(), "{ours:?}");
    insta::assert_snapshot!(refusals(&[held("10.0.0.61", "00:50:56:00:00:05")], &known).join("\n"),
        @"ge-0/0/1.0 10.0.0.61: other_row: row 2 (failed) has 02:5e:10:00:00:02 for 10.0.0.61 on server 7; revoke it first, then adopt");
    insta::assert_snapshot!(refusals(&[held("10.0.0.62", "02:5e:10:00:00:03")], &known).join("\n"),
        @"ge-0/0/1.0 10.0.0.62: mac_elsewhere: 02:5e:10:00:00:03 is the virtual MAC of 10.0.0.62 in row 3 (revoked); `vmacd audit` shows what is left of it");
    insta::assert_snapshot!(refusals(&[held("10.0.0.69", MAC)], &known).join("\n"),
        @"ge-0/0/1.0 10.0.0.69: mac_elsewhere: 00:50:56:00:00:01 is the virtual MAC of 10.0.0.60 in row 1 (active)");
}

#[test]
fn an_address_on_ports_of_two_servers_is_nobodys() {
    let seen = seen("sw-a", &[("ge-0/0/1.0", "10.0.0.60", MAC), ("ge-0/0/2.0", "10.0.0.60", MAC)]);
    insta::assert_snapshot!(refusals(&[seen], &known(Vec::new())).join("\n"), @"
    ge-0/0/1.0 10.0.0.60: address_elsewhere: 10.0.0.60 is bound to 00:50:56:00:00:01 on sw-a ge-0/0/2.0 too, which is not a port of server 1
    ge-0/0/2.0 10.0.0.60: address_elsewhere: 10.0.0.60 is bound to 00:50:56:00:00:01 on sw-a ge-0/0/1.0 too, which is not a port of server 2
    ");
}

#[test]
fn nor_is_one_that_is_also_on_a_port_of_no_server() {
    for (switch, port) in [("sw-a", "ge-0/0/9"), ("sw-b", "ge-0/0/1")] {
        let both = [seen("sw-a", &[("ge-0/0/1.0", "10.0.0.60", MAC)]), seen(switch, &[(port, "10.0.0.60", OTHER)])];
        let refused = refusals(&both, &known(Vec::new()));
        assert!(refused.iter().any(|line| line.starts_with("ge-0/0/1.0 10.0.0.60: address_elsewhere:")), "{refused:?}");
    }
}
