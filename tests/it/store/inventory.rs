//! Switches, servers and their ports.

use vmacd::domain::{Code, Dialect, Failure};
use vmacd::store::StoreError;

use super::bench::{Bench, inventory, switch};

on_both_engines! {
    what_was_imported_is_exported,
    importing_again_changes_nothing,
    a_contradiction_is_refused_and_nothing_written,
    servers_may_exchange_their_primary_addresses,
    a_pinned_key_and_a_found_dialect_are_kept,
    what_is_fixed_at_a_switch_has_it_tried_at_once,
    the_lease_of_a_switch_is_made_with_it,
}

async fn what_was_imported_is_exported(bench: &Bench) {
    assert_eq!(bench.store.export().await.expect("an inventory"), inventory());
}

async fn importing_again_changes_nothing(bench: &Bench) {
    let report = bench.store.import(&inventory()).await.expect("imported");
    assert_eq!((report.added, report.updated, report.unchanged), (0, 0, 6));
    let mut changed = inventory();
    changed.servers[0].vlan_name = Some("v7".parse().expect("a name"));
    let report = bench.store.import(&changed).await.expect("imported");
    assert_eq!((report.added, report.updated, report.unchanged), (0, 1, 5));
    assert_eq!(bench.store.export().await.expect("an inventory"), changed);
}

async fn a_contradiction_is_refused_and_nothing_written(bench: &Bench) {
    let mut twice = inventory();
    twice.servers[0].primary_ip = twice.servers[1].primary_ip;
    let mut unknown = inventory();
    unknown.servers[0].ports[0].switch = switch("sw-z");
    let mut number = inventory();
    number.servers[0].id = 0;
    number.servers[0].primary_ip = None;
    let mut again = inventory();
    again.servers.push(again.servers[0].clone());
    for (inventory, named) in [(again, "named twice"), (twice, "10.0.2.1"), (unknown, "sw-z"), (number, "server 0")] {
        let refused = bench.store.import(&inventory).await;
        assert!(matches!(&refused, Err(StoreError::Inventory(text)) if text.contains(named)), "{refused:?}");
    }
    assert_eq!(bench.store.export().await.expect("an inventory"), inventory());
}

async fn servers_may_exchange_their_primary_addresses(bench: &Bench) {
    let mut exchanged = inventory();
    let first = exchanged.servers[0].primary_ip;
    exchanged.servers[0].primary_ip = exchanged.servers[1].primary_ip;
    exchanged.servers[1].primary_ip = first;
    let mut told = Vec::new();
    let report = bench.store.import_with(&exchanged, |done| told.push(done)).await.expect("imported");
    assert_eq!((report.updated, told.last()), (2, Some(&6)), "{told:?}");
    assert_eq!(bench.store.export().await.expect("an inventory"), exchanged);
}

async fn a_pinned_key_and_a_found_dialect_are_kept(bench: &Bench) {
    let name = switch("sw-a");
    bench.store.trust(&name, "SHA256:abc").await.expect("pinned");
    bench.store.set_dialect_found(&name, Dialect::Els).await.expect("noted");
    let known = bench.another().await.switch(&name).await.expect("found");
    assert_eq!((known.switch.host_key.as_deref(), known.dialect_found), (Some("SHA256:abc"), Some(Dialect::Els)));
    let missing = bench.store.trust(&switch("sw-z"), "SHA256:abc").await;
    assert!(matches!(missing, Err(StoreError::NotFound { .. })), "{missing:?}");
}

async fn what_is_fixed_at_a_switch_has_it_tried_at_once(bench: &Bench) {
    let (name, failure) = (switch("sw-a"), Failure::new(Code::HostKeyChanged, "another key"));
    let fails = async || {
        bench.fail("sw-a", &failure).await;
        let trouble = bench.store.switch(&name).await.expect("found").trouble.expect("trouble");
        assert!(trouble.next_try_at > trouble.since, "{trouble:?}");
    };
    let next_try_at_ms = async || {
        let known = bench.store.switch(&name).await.expect("found");
        known.trouble.expect("the trouble stays until the switch was tried").next_try_at.timestamp_millis()
    };
    fails().await;
    bench.store.trust(&name, "SHA256:abc").await.expect("pinned");
    assert_eq!(next_try_at_ms().await, 0);
    fails().await;
    let mut changed = inventory();
    changed.switches[0].host = "127.0.0.2".to_owned();
    bench.store.import(&changed).await.expect("imported");
    assert_eq!(next_try_at_ms().await, 0);
}

async fn the_lease_of_a_switch_is_made_with_it(bench: &Bench) {
    assert_eq!(bench.number("SELECT COUNT(*) FROM switch_leases").await, 2);
    let known = bench.store.switch(&switch("sw-a")).await.expect("found");
    assert_eq!((known.trouble, known.last_seen_at), (None, None));
}
