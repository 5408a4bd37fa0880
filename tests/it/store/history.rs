//! Who had an address.

use vmacd::store::{AddressHolder, RetentionWindows};

use super::bench::{Bench, create, issued, join, revoke, rotate, take};
use super::retention::remove_all;

on_both_engines! {
    every_holder_of_an_address_is_told_with_its_mac_port_and_reason,
    the_history_of_an_address_stays_after_its_details_went,
    an_address_that_comes_to_life_again_keeps_who_had_it_before,
    a_group_that_changes_is_a_line_of_its_own,
}

const IP: &str = "10.0.1.10";

async fn history(bench: &Bench) -> Vec<AddressHolder> {
    bench.store.vmacs().history(IP.parse().expect("an address"), None).await.expect("a history")
}

fn told(holder: &AddressHolder) -> String {
    let ports: Vec<String> = holder.ports.iter().map(ToString::to_string).collect();
    let ended = holder.ended.map_or("lasts", |ended| ended.as_str());
    format!("{} {} {} {ended}", holder.server_id, ports.join(","), holder.began.as_str())
}

async fn a_full_life(bench: &Bench) -> Vec<AddressHolder> {
    bench.admit(create("m-1", 1, IP)).await;
    bench.settle("sw-a").await;
    bench.admit(take("m-2", 1, 2, IP)).await;
    // What it leaves is taken off once it is bound where it goes.
    bench.settle("sw-b").await;
    bench.settle("sw-a").await;
    bench.admit(issued(rotate("m-3", 2, IP), 4_000)).await;
    bench.settle("sw-b").await;
    bench.admit(issued(revoke("m-4", 2, IP), 5_000)).await;
    bench.settle("sw-b").await;
    bench.admit(issued(create("m-5", 1, IP), 6_000)).await;
    bench.settle("sw-a").await;
    history(bench).await
}

const LIFE: [&str; 4] = [
    "1 sw-a:ge-0/0/1 created moved",
    "2 sw-b:ge-0/0/2 moved rotated",
    "2 sw-b:ge-0/0/2 rotated revoked",
    "1 sw-a:ge-0/0/1 created lasts",
];

async fn every_holder_of_an_address_is_told_with_its_mac_port_and_reason(bench: &Bench) {
    let holders = a_full_life(bench).await;
    assert_eq!(holders.iter().map(told).collect::<Vec<_>>(), LIFE);
    assert_eq!(holders[0].mac_address, holders[1].mac_address);
    assert_ne!(holders[1].mac_address, holders[2].mac_address, "a rotation");
    assert_ne!(holders[2].mac_address, holders[3].mac_address, "another row");
    assert_eq!(holders[2].was_active, Some(true));
    let ip = IP.parse().expect("an address");
    let at = bench.store.vmacs().history(ip, Some(holders[1].from)).await.expect("a history");
    assert_eq!(at, [holders[1].clone()], "one at a time");
    assert!(holders.windows(2).all(|pair| pair[0].until.is_some_and(|until| until <= pair[1].from)), "{holders:?}");
}

async fn the_history_of_an_address_stays_after_its_details_went(bench: &Bench) {
    let before = a_full_life(bench).await;
    // As a broker that has all of them.
    bench.execute("DELETE FROM unpublished_events".to_owned()).await;
    let removed = remove_all(bench, RetentionWindows { backups: None, ..super::retention::NOTHING_STAYS }).await;
    assert!(removed["events"] >= 5 && removed["commands"] == 5 && removed["virtual_macs"] == 1, "{removed:?}");
    assert_eq!(history(bench).await, before);
    assert_eq!(bench.number("SELECT COUNT(*) FROM virtual_macs WHERE switch_bindings = '[]'").await, 1);
}

async fn an_address_that_comes_to_life_again_keeps_who_had_it_before(bench: &Bench) {
    let mac = "02:00:0a:00:01:0a";
    let with_mac = |key: &str, server_id, at| {
        let mut incoming = issued(create(key, server_id, IP), at);
        incoming.command.mac_address = Some(mac.parse().expect("a MAC"));
        incoming
    };
    bench.admit(with_mac("m-1", 1, 1_000)).await;
    bench.settle("sw-a").await;
    bench.admit(revoke("m-2", 1, IP)).await;
    bench.settle("sw-a").await;
    remove_all(bench, RetentionWindows { events: None, ..super::retention::NOTHING_STAYS }).await;
    // As a pool whose MACs follow from their addresses does it.
    bench
        .execute(
            "UPDATE virtual_macs SET server_id = 2, status = 'pending', desired = 'bound', revoked_at = NULL,
            past_ports = NULL, compacted_at_ms = NULL, updated_at = '2030-01-01T00:00:00+00:00'"
                .to_owned(),
        )
        .await;
    let holders = history(bench).await;
    assert_eq!(holders.iter().map(told).collect::<Vec<_>>(), ["1 sw-a:ge-0/0/1 created revoked", "2  created lasts"]);
    assert_eq!(holders[0].mac_address, holders[1].mac_address);
}

async fn a_group_that_changes_is_a_line_of_its_own(bench: &Bench) {
    bench.admit(join("m-1", 1, IP, "web")).await;
    bench.settle("sw-a").await;
    bench.admit(join("m-2", 2, IP, "web")).await;
    bench.settle("sw-b").await;
    let holders = history(bench).await;
    let expected = ["1 sw-a:ge-0/0/1 created group-changed", "1 sw-a:ge-0/0/1,sw-b:ge-0/0/2 group-changed lasts"];
    assert_eq!(holders.iter().map(told).collect::<Vec<_>>(), expected);
}
