//! Switches, servers and their ports.

use vmacd::domain::{Code, Dialect, Failure, InventoryItem, InventoryPlace, Mac};
use vmacd::store::{ImportReport, StoreError};

use super::bench::{Bench, create, inventory, join, revoke, switch};

on_both_engines! {
    what_was_imported_is_exported,
    importing_again_changes_nothing,
    everything_that_contradicts_is_refused_in_one_go_and_nothing_written,
    imports_at_once_that_contradict_are_told_so_and_not_by_the_database,
    a_virtual_mac_is_no_servers_own,
    servers_may_exchange_their_primary_addresses,
    a_pinned_key_and_a_found_dialect_are_kept,
    what_is_fixed_at_a_switch_has_it_tried_at_once,
    the_lease_of_a_switch_is_made_with_it,
    a_switch_and_a_server_are_removed_once_nothing_needs_them,
    a_server_of_a_group_is_removed_without_the_others,
}

async fn what_was_imported_is_exported(bench: &Bench) {
    assert_eq!(bench.store.inventory().export().await.expect("an inventory"), inventory());
}

async fn importing_again_changes_nothing(bench: &Bench) {
    let report = bench.store.inventory().import(&inventory()).await.expect("imported");
    assert_eq!((report.added, report.updated, report.unchanged), (0, 0, 6));
    let mut changed = inventory();
    changed.servers[0].vlan_name = Some("v7".parse().expect("a name"));
    let report = bench.store.inventory().import(&changed).await.expect("imported");
    assert_eq!((report.added, report.updated, report.unchanged), (0, 1, 5));
    assert_eq!(bench.store.inventory().export().await.expect("an inventory"), changed);
}

async fn everything_that_contradicts_is_refused_in_one_go_and_nothing_written(bench: &Bench) {
    let mut wrong = inventory();
    wrong.servers[0].primary_ip = wrong.servers[1].primary_ip;
    wrong.servers[0].ports[0].switch = switch("sw-z");
    let same = wrong.servers[1].ports[0].clone();
    wrong.servers[1].ports.push(same);
    wrong.servers.push(wrong.servers[0].clone());
    let mut zero = wrong.servers[0].clone();
    (zero.id, zero.primary_ip, zero.ports) = (0, None, Vec::new());
    wrong.servers.push(zero);
    let refused = bench.store.inventory().import(&wrong).await.expect_err("refused");
    assert!(refused.is_input(), "{refused:?}");
    let told = refused.to_string();
    for named in ["10.0.2.1", "no such switch", "named twice; keep one\n", "server 1 is named twice", "server 0"] {
        assert!(told.contains(named), "{named}: {told}");
    }
    let conflicts = bench.store.inventory().conflicts(&wrong).await.expect("an answer");
    assert!(matches!(refused, StoreError::Inventory(told) if told == conflicts));
    assert_eq!(bench.store.inventory().export().await.expect("an inventory"), inventory());
}

async fn imports_at_once_that_contradict_are_told_so_and_not_by_the_database(bench: &Bench) {
    let with_server = |id: i64| {
        let mut inventory = inventory();
        let mut server = inventory.servers.remove(0);
        inventory.switches.clear();
        (server.id, server.pxe_mac) = (id, Mac::of_number(0x5254_0001_0000 + id.unsigned_abs()));
        server.primary_ip = Some("10.0.9.9".parse().expect("an address"));
        inventory.servers = vec![server];
        inventory
    };
    let other = bench.another().await;
    for round in 0..8 {
        let (one, two) = (with_server(100 + 2 * round), with_server(101 + 2 * round));
        let told = |result: Result<ImportReport, StoreError>| result.map_err(|error| error.to_string());
        let (first, second) = tokio::join!(bench.store.inventory().import(&one), other.inventory().import(&two));
        for told in [told(first), told(second)] {
            let is_plain = |text: &String| text.contains("primary address 10.0.9.9");
            assert!(told.as_ref().err().is_none_or(is_plain), "{told:?}");
        }
        let owners = bench.number("SELECT COUNT(*) FROM servers WHERE primary_ip = '10.0.9.9'").await;
        assert_eq!(owners, 1);
    }
}

async fn a_virtual_mac_is_no_servers_own(bench: &Bench) {
    bench.admit(create("m-1", 1, "10.0.1.10")).await;
    let mut wrong = inventory();
    wrong.servers[1].pxe_mac = bench.row("10.0.1.10").await.mac_address;
    let conflicts = bench.store.inventory().conflicts(&wrong).await.expect("an answer");
    let [conflict] = conflicts.as_slice() else { panic!("{conflicts:?}") };
    assert_eq!((conflict.place, conflict.field), (InventoryPlace::Server(1), "pxe_mac"));
    assert!(conflict.text.contains("is the virtual MAC of 10.0.1.10 (server 1); it cannot"), "{conflict}");
}

async fn servers_may_exchange_their_primary_addresses(bench: &Bench) {
    let mut exchanged = inventory();
    let first = exchanged.servers[0].primary_ip;
    exchanged.servers[0].primary_ip = exchanged.servers[1].primary_ip;
    exchanged.servers[1].primary_ip = first;
    let mut told = Vec::new();
    let report = bench.store.inventory().import_with(&exchanged, |done| told.push(done)).await.expect("imported");
    assert_eq!((report.updated, told.last()), (2, Some(&6)), "{told:?}");
    assert_eq!(bench.store.inventory().export().await.expect("an inventory"), exchanged);
}

async fn a_pinned_key_and_a_found_dialect_are_kept(bench: &Bench) {
    let name = switch("sw-a");
    bench.store.switches().trust(&name, "SHA256:abc").await.expect("pinned");
    bench.store.switches().set_dialect_found(&name, Dialect::Els).await.expect("noted");
    let known = bench.another().await.switches().get(&name).await.expect("found");
    assert_eq!((known.switch.host_key.as_deref(), known.dialect_found), (Some("SHA256:abc"), Some(Dialect::Els)));
    let missing = bench.store.switches().trust(&switch("sw-z"), "SHA256:abc").await;
    assert!(matches!(missing, Err(StoreError::NotFound { .. })), "{missing:?}");
}

async fn what_is_fixed_at_a_switch_has_it_tried_at_once(bench: &Bench) {
    let (name, failure) = (switch("sw-a"), Failure::new(Code::HostKeyChanged, "another key"));
    let fails = async || {
        bench.fail("sw-a", &failure).await;
        let trouble = bench.store.switches().get(&name).await.expect("found").trouble.expect("trouble");
        assert!(trouble.next_try_at > trouble.since, "{trouble:?}");
    };
    let next_try_at_ms = async || {
        let known = bench.store.switches().get(&name).await.expect("found");
        known.trouble.expect("the trouble stays until the switch was tried").next_try_at.timestamp_millis()
    };
    fails().await;
    bench.store.switches().trust(&name, "SHA256:abc").await.expect("pinned");
    assert_eq!(next_try_at_ms().await, 0);
    fails().await;
    let mut changed = inventory();
    changed.switches[0].host = "127.0.0.2".to_owned();
    bench.store.inventory().import(&changed).await.expect("imported");
    assert_eq!(next_try_at_ms().await, 0);
}

async fn the_lease_of_a_switch_is_made_with_it(bench: &Bench) {
    assert_eq!(bench.number("SELECT COUNT(*) FROM switch_leases").await, 2);
    let known = bench.store.switches().get(&switch("sw-a")).await.expect("found");
    assert_eq!((known.trouble, known.last_seen_at), (None, None));
}

async fn a_switch_and_a_server_are_removed_once_nothing_needs_them(bench: &Bench) {
    let (of_switch, of_server) = (InventoryItem::Switch(switch("sw-a")), InventoryItem::Server(1));
    bench.admit(create("m-1", 1, "10.0.1.10")).await;
    bench.settle("sw-a").await;
    for item in [&of_switch, &of_server] {
        let refused = bench.store.inventory().remove(item, false).await.expect_err("it is needed").to_string();
        assert!(refused.contains("1 virtual MAC: 10.0.1.10 (server 1, active)"), "{refused}");
        let needs = bench.store.inventory().needs(item).await.expect("needs");
        assert_eq!(needs.revokes(), [(1, "10.0.1.10".parse().expect("an address"))]);
    }
    bench.admit(revoke("m-2", 1, "10.0.1.10")).await;
    assert!(bench.store.inventory().needs(&of_switch).await.expect("needs").revokes().is_empty(), "it is on its way");
    assert!(bench.store.inventory().remove(&of_server, true).await.is_err(), "not done yet");
    bench.settle("sw-a").await;
    let removal = bench.store.inventory().remove(&of_switch, false).await.expect("removed");
    assert_eq!((removal.what, removal.ports), ("switch", 2));
    bench.store.inventory().remove(&of_server, false).await.expect("removed");
    let left = bench.store.inventory().export().await.expect("an inventory");
    assert_eq!(left.switches.len(), 1);
    assert!(
        left.servers
            .iter()
            .all(|server| server.id != 1 && server.ports.iter().all(|port| port.switch == switch("sw-b")))
    );
    for item in [&of_switch, &of_server] {
        assert!(matches!(bench.store.inventory().remove(item, false).await, Err(StoreError::NotFound { .. })));
    }
    let before = bench.number("SELECT token FROM switch_leases WHERE switch = 'sw-a'").await;
    bench.store.inventory().import(&inventory()).await.expect("imported again");
    assert_eq!(bench.number("SELECT token FROM switch_leases WHERE switch = 'sw-a'").await, before, "it never falls");
}

async fn a_server_of_a_group_is_removed_without_the_others(bench: &Bench) {
    bench.admit(join("m-1", 1, "10.0.1.10", "web")).await;
    bench.settle("sw-a").await;
    bench.admit(join("m-2", 2, "10.0.1.10", "web")).await;
    bench.settle("sw-b").await;
    let ip = "10.0.1.10".parse().expect("an address");
    let needs = bench.store.inventory().needs(&InventoryItem::Server(2)).await.expect("needs");
    assert_eq!(needs.revokes(), [(2, ip)]);
    let needs = bench.store.inventory().needs(&InventoryItem::Switch(switch("sw-a"))).await.expect("needs");
    assert_eq!(needs.revokes(), [(1, ip)], "the other one goes on");
}
