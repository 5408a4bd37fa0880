//! The life of addresses under each rule by which a switch refuses one MAC for several addresses.

use vmacd::sim::{Dialect, DuplicateScope, Options};

use super::world::World;
use crate::support::eventually;

#[tokio::test(flavor = "multi_thread")]
async fn addresses_come_and_go_under_each_rule_of_duplicates_and_nothing_is_left_over() {
    for dialect in [Dialect::NonEls, Dialect::Els] {
        for rule in [DuplicateScope::Off, DuplicateScope::Interface, DuplicateScope::Vlan, DuplicateScope::Switch] {
            come_and_go(dialect, rule).await;
        }
    }
}

async fn come_and_go(dialect: Dialect, rule: DuplicateScope) {
    let options = Options { switches: 1, ports_per_switch: 2, dialect, duplicates: Some(rule), ..Options::default() };
    let world = World::embedded_with(options).await;
    let _worker = world.serve().await;
    command(&world, "create", &[(0, 1), (0, 2), (1, 1)]).await;
    world.until("active", 3).await;
    world.assert_consistent().await;
    command(&world, "revoke", &[(0, 1), (1, 1)]).await;
    world.until("active", 1).await;
    world.until("revoked", 2).await;
    world.assert_consistent().await;
    command(&world, "create", &[(0, 1)]).await;
    world.until("active", 2).await;
    world.assert_consistent().await;
    command(&world, "revoke", &[(0, 1), (0, 2)]).await;
    eventually("all are revoked", async || {
        let rows = world.vmacd(&["list"]).await;
        rows.as_array().expect("a list").iter().all(|row| row["status"] == "revoked")
    })
    .await;
    world.assert_consistent().await;
    assert!(world.dead_letters().await.is_empty(), "{dialect:?} {rule:?}");
}

async fn command(world: &World, action: &str, of: &[(usize, u32)]) {
    for (server, number) in of {
        let (server, ip) = (world.server(*server).to_string(), world.address(*server, *number));
        world.vmacd(&[action, "--server", &server, "--ip", &ip]).await;
    }
}
