use super::*;
use crate::domain::ServerPort;

fn seen(switch: &str, bindings: &[(&str, &str, &str)]) -> SwitchContents {
    let bindings = bindings.iter().map(|(interface, ip, mac)| {
        PresentBinding::new(
            interface.parse().expect("an interface"),
            ip.parse().expect("an address"),
            None,
            mac.parse().expect("a MAC"),
        )
    });
    SwitchContents { switch: switch.parse().expect("a name"), bindings: bindings.collect(), learned: Vec::new() }
}

fn server(id: i64, pxe_mac: &str, ports: &[(&str, &str)]) -> Server {
    let ports = ports.iter().map(|(switch, interface)| ServerPort {
        switch: switch.parse().expect("a name"),
        interface: interface.parse().expect("an interface"),
    });
    let pxe_mac = pxe_mac.parse().expect("a MAC");
    Server { id, pxe_mac, primary_ip: None, vlan_name: None, ports: ports.collect() }
}

fn row(id: i64, ip: &str, mac: &str, status: Status, ports: &[(&str, &str)]) -> AuditedRow {
    let mac: Mac = mac.parse().expect("a MAC");
    let (desired, state) = match status {
        Status::Revoked => (Desired::Unbound, BindingState::Removed),
        Status::Active => (Desired::Bound, BindingState::Bound),
        Status::Pending | Status::Failed => (Desired::Bound, BindingState::Pending),
    };
    let bindings = ports.iter().map(|(switch, interface)| SwitchBinding {
        switch: switch.parse().expect("a name"),
        server_id: None,
        leaving: false,
        interface: interface.parse().expect("an interface"),
        vlan: None,
        mac,
        state,
        previous_mac: None,
        backup_id: None,
        push_id: None,
        error: None,
        evidence: Vec::new(),
        in_force: None,
        at: chrono::DateTime::UNIX_EPOCH,
    });
    let ip = ip.parse().expect("an address");
    AuditedRow {
        id,
        server_id: 1,
        ip,
        mac,
        former: Vec::new(),
        status,
        desired,
        settled: true,
        bindings: bindings.collect(),
    }
}

/// Findings as short lines.
fn lines(seen: &[SwitchContents], known: &Records) -> Vec<String> {
    let place = |place: &BoundPort| match place.ip {
        Some(ip) => format!("{} {} {ip} {}", place.switch, place.interface, place.mac),
        None => format!("{} {} {}", place.switch, place.interface, place.mac),
    };
    let line = |finding: &Finding| {
        let places: Vec<String> = finding.places.iter().map(place).collect();
        let mended = finding.mended_on.as_ref().map_or("", |_| " (mendable)");
        format!("{}: {}{mended}", finding.kind.as_str(), places.join(", "))
    };
    audit(seen, known).iter().map(line).collect()
}

const VMAC: &str = "02:5e:10:00:00:01";
const OTHER: &str = "02:5e:10:00:00:02";
const PXE: &str = "0c:c4:7a:00:00:01";

fn estate() -> Records {
    Records {
        rows: vec![row(1, "10.0.0.6", VMAC, Status::Active, &[("sw-a", "ge-0/0/1.0")])],
        servers: vec![
            server(1, PXE, &[("sw-a", "ge-0/0/1.0")]),
            server(2, "0c:c4:7a:00:00:02", &[("sw-a", "ge-0/0/2.0")]),
        ],
    }
}

#[test]
fn a_switch_that_holds_what_the_rows_say_has_no_finding() {
    let seen = seen("sw-a", &[("ge-0/0/1", "10.0.0.6", VMAC), ("ge-0/0/1.0", "10.0.0.5", PXE)]);
    assert_eq!(lines(&[seen], &estate()), Vec::<String>::new());
}

#[test]
fn a_row_without_its_binding_and_one_that_is_gone_but_bound_can_be_mended() {
    let mut known = estate();
    known.rows.push(row(2, "10.0.0.7", OTHER, Status::Revoked, &[("sw-a", "ge-0/0/1.0")]));
    let seen = seen("sw-a", &[("ge-0/0/1.0", "10.0.0.7", OTHER)]);
    let expected = [
        format!("not_backed: sw-a ge-0/0/1.0 10.0.0.6 {VMAC} (mendable)"),
        format!("left_over: sw-a ge-0/0/1.0 10.0.0.7 {OTHER} (mendable)"),
    ];
    assert_eq!(lines(&[seen], &known), expected);
}

#[test]
fn a_row_whose_address_is_on_another_port_is_not_offered_for_repair() {
    let known = estate();
    for (switch, port, mac) in [("sw-a", "ge-0/0/2", OTHER), ("sw-a", "ge-0/0/2", VMAC), ("sw-b", "ge-0/0/1.0", OTHER)]
    {
        let mut on_switches = vec![seen("sw-a", &[]), seen("sw-b", &[])];
        let at = on_switches.iter_mut().find(|seen| seen.switch.as_str() == switch).expect("a switch");
        at.bindings = seen(switch, &[(port, "10.0.0.6", mac)]).bindings;
        let lines = lines(&on_switches, &known);
        let expected = format!("address_elsewhere: sw-a ge-0/0/1.0 10.0.0.6 {VMAC}, {switch} {port} 10.0.0.6 {mac}");
        assert!(lines.contains(&expected), "{lines:?}");
        assert!(lines.iter().all(|line| !line.contains("mendable")), "{lines:?}");
    }
}

#[test]
fn what_a_revoked_row_left_over_elsewhere_goes_first_and_both_can_be_mended() {
    let mut known = estate();
    known.rows.push(row(2, "10.0.0.6", OTHER, Status::Revoked, &[("sw-a", "ge-0/0/2.0")]));
    let seen = seen("sw-a", &[("ge-0/0/2", "10.0.0.6", OTHER)]);
    let expected = [
        format!("not_backed: sw-a ge-0/0/1.0 10.0.0.6 {VMAC} (mendable)"),
        format!("left_over: sw-a ge-0/0/2.0 10.0.0.6 {OTHER} (mendable)"),
    ];
    assert_eq!(lines(&[seen], &known), expected);
}

#[test]
fn what_is_under_way_or_was_not_looked_at_is_left_alone() {
    let mut known = estate();
    known.rows.push(row(2, "10.0.0.7", OTHER, Status::Pending, &[("sw-a", "ge-0/0/1.0")]));
    assert_eq!(lines(&[seen("sw-b", &[])], &known), Vec::<String>::new());
    known.rows[0].settled = false;
    assert_eq!(lines(&[seen("sw-a", &[])], &known), Vec::<String>::new());
}

#[test]
fn macs_and_addresses_that_stand_twice_are_found_over_all_switches() {
    let (a, b) = (
        seen("sw-a", &[("ge-0/0/1.0", "10.0.0.6", VMAC), ("ge-0/0/2.0", "10.0.0.6", "00:11:22:33:44:55")]),
        seen("sw-b", &[("ge-0/0/9.0", "10.0.0.9", VMAC)]),
    );
    let lines = lines(&[a, b], &estate());
    assert_eq!(lines[0], format!("mac_twice: sw-a ge-0/0/1.0 10.0.0.6 {VMAC}, sw-b ge-0/0/9.0 10.0.0.9 {VMAC}"));
    let address = format!("address_twice: sw-a ge-0/0/1.0 10.0.0.6 {VMAC}, sw-a ge-0/0/2.0 10.0.0.6 00:11:22:33:44:55");
    assert_eq!(lines[1], address);
    assert_eq!(lines.iter().filter(|line| line.starts_with("unexplained")).count(), 2);
}

#[test]
fn both_ports_of_one_server_hold_the_same() {
    let ports = [("sw-a", "ge-0/0/1.0"), ("sw-b", "ge-0/0/1.0")];
    let known =
        Records { rows: vec![row(1, "10.0.0.6", VMAC, Status::Active, &ports)], servers: vec![server(1, PXE, &ports)] };
    let [a, b] = ["sw-a", "sw-b"].map(|switch| seen(switch, &[("ge-0/0/1.0", "10.0.0.6", VMAC)]));
    assert_eq!(lines(&[a, b], &known), Vec::<String>::new());
}

#[test]
fn addresses_given_back_to_a_servers_own_mac_are_no_finding_on_its_port_alone() {
    let known =
        Records { rows: vec![], servers: vec![server(1, PXE, &[("sw-a", "ge-0/0/1.0"), ("sw-a", "ge-0/0/2.0")])] };
    let mut held =
        vec![("ge-0/0/1.0", "10.0.0.6", PXE), ("ge-0/0/1.0", "10.0.0.7", PXE), ("ge-0/0/2.0", "10.0.0.6", PXE)];
    assert_eq!(lines(&[seen("sw-a", &held)], &known), Vec::<String>::new());
    held.push(("ge-0/0/9.0", "10.0.0.8", PXE));
    let found = lines(&[seen("sw-a", &held)], &known);
    assert!(found.iter().any(|line| line.starts_with("mac_twice") && line.contains("ge-0/0/9.0")), "{found:?}");
}

#[test]
fn a_virtual_mac_learned_on_another_servers_port_is_found_and_on_an_uplink_is_not() {
    let mut at = seen("sw-a", &[("ge-0/0/1.0", "10.0.0.6", VMAC)]);
    let learned = |interface: &str| LearnedMac {
        mac: VMAC.parse().expect("a MAC"),
        interface: interface.parse().expect("an interface"),
        kept: false,
    };
    at.learned = vec![learned("ge-0/0/1.0"), learned("xe-0/1/0.0"), learned("ge-0/0/2.0")];
    assert_eq!(lines(&[at], &estate()), [format!("learned_elsewhere: sw-a ge-0/0/2.0 {VMAC}")]);
}

#[test]
fn servers_that_share_an_address_hold_it_twice_rightly_and_a_port_that_was_left_must_not() {
    let mut shared =
        row(1, "10.0.0.9", "02:5e:10:00:00:01", Status::Active, &[("sw-1", "ge-0/0/1"), ("sw-1", "ge-0/0/2")]);
    let held = [("ge-0/0/1.0", "10.0.0.9", "02:5e:10:00:00:01"), ("ge-0/0/2.0", "10.0.0.9", "02:5e:10:00:00:01")];
    let servers = vec![
        server(1, "aa:aa:aa:00:00:01", &[("sw-1", "ge-0/0/1")]),
        server(2, "aa:aa:aa:00:00:02", &[("sw-1", "ge-0/0/2")]),
    ];
    let known = Records { rows: vec![shared.clone()], servers: servers.clone() };
    assert_eq!(lines(&[seen("sw-1", &held)], &known), [""; 0]);
    shared.bindings[0].leaving = true;
    shared.bindings[0].state = BindingState::Removed;
    let found = lines(&[seen("sw-1", &held)], &Records { rows: vec![shared], servers });
    assert!(found.iter().any(|line| line.starts_with("left_over: sw-1 ge-0/0/1")), "{found:?}");
    assert!(found.iter().any(|line| line.starts_with("mac_twice")), "{found:?}");
}

#[test]
fn a_mac_that_a_row_had_is_its_own_where_the_switch_has_not_taken_the_new_one() {
    let mut known = estate();
    let row = &mut known.rows[0];
    (row.mac, row.former) = (OTHER.parse().expect("a MAC"), vec![VMAC.parse().expect("a MAC")]);
    let held = [seen("sw-a", &[("ge-0/0/1.0", "10.0.0.6", VMAC)])];
    // The row is active: the new one was bound, and somebody put the old one back.
    assert_eq!(lines(&held, &known), ["not_backed: sw-a ge-0/0/1.0 10.0.0.6 02:5e:10:00:00:02 (mendable)"]);
    known.rows[0].status = Status::Failed;
    assert_eq!(lines(&held, &known), Vec::<String>::new(), "the switch refused the new one");
    let row = &mut known.rows[0];
    (row.status, row.desired) = (Status::Revoked, Desired::Unbound);
    assert_eq!(lines(&held, &known), ["left_over: sw-a ge-0/0/1.0 10.0.0.6 02:5e:10:00:00:01 (mendable)"]);
    let elsewhere = [seen("sw-a", &[("ge-0/0/7.0", "10.0.0.6", VMAC)])];
    let found = audit(&elsewhere, &known);
    assert_eq!((found[0].kind, found[0].vmac_id), (FindingKind::Unexplained, Some(1)), "whose MAC it is, is said");
}
