//! The drill: many addresses, the database gone or an hour old, everything as it was afterwards and no MAC twice.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use vmacd::sim::Options;

use super::brought_back::{Addresses, active, stop, until_active};
use super::world::World;
use crate::support::postgres::migrated_database;
use crate::support::vmacd::{Output, run};
use crate::support::{eventually, size};

const SWITCHES: usize = 2;
const PORTS: usize = 10;
const SERVERS: usize = SWITCHES * PORTS;

/// So many addresses, the same number at each server.
fn addresses() -> usize {
    size("VMACD_TEST_DRILL_ADDRESSES", 60, 1_000)
}

/// The addresses with these numbers of all addresses: server and number there.
fn places(range: std::ops::Range<usize>) -> impl Iterator<Item = (usize, u32)> {
    range.map(|at| (at % SERVERS, u32::try_from(at / SERVERS + 1).expect("few")))
}

async fn world() -> World {
    World::real_with(Options { switches: SWITCHES, ports_per_switch: PORTS, ..Options::default() }).await
}

async fn command(world: &World, action: &str, (index, number): (usize, u32), id: &str) {
    world.command(action, index, number, &format!("{id}-{index}-{number}")).await;
}

/// Some of what was created changes: every tenth address is revoked, and every twentieth is created again after that.
/// Returns how many are active then.
async fn change(world: &World, created: usize) -> usize {
    let revoked: Vec<_> = places(0..created).step_by(10).collect();
    for place in &revoked {
        command(world, "revoke", *place, "revoke").await;
    }
    world.until("active", created - revoked.len()).await;
    let again: Vec<_> = revoked.iter().step_by(2).collect();
    for place in &again {
        command(world, "create", **place, "again").await;
    }
    let active = created - revoked.len() + again.len();
    world.until("active", active).await;
    active
}

async fn rebuild(world: &World, more: &[&str]) -> (Output, Value) {
    let arguments: Vec<&str> = ["rebuild", "--since", "1h", "--json"].into_iter().chain(more.iter().copied()).collect();
    let output = run(&arguments, &world.settings).await;
    let report = serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    (output, report)
}

/// The rebuild by the page: a look, the rebuild, the workers, the thaw; everything is as it was.
async fn rebuild_and_compare(world: &World, before: &Addresses) {
    let (held, commits) = (world.held(), world.commits());
    let lacking = active(world).await;
    let (_, dry) = rebuild(world, &["--dry-run"]).await;
    assert_eq!((&dry["dry_run"], active(world).await), (&json!(true), lacking), "a look changes nothing");
    assert_eq!(world.vmacd(&["freezes"]).await, json!([]));

    let (output, report) = rebuild(world, &["--yes"]).await;
    assert_eq!((output.code, &report["findings"]), (Some(0), &json!([])), "{output:?}");
    assert_eq!(report["archive"]["commands"], dry["archive"]["commands"], "as the look had said");
    let (_, again) = rebuild(world, &["--yes"]).await;
    assert_eq!(
        (&again["archive"]["commands"], &again["adopted"]),
        (&json!(0), &json!([])),
        "the second time nothing is left"
    );

    let serve = world.serve().await;
    world.vmacd(&["thaw", "--all"]).await;
    until_active(world, before).await;
    assert_eq!((world.held(), world.commits()), (held, commits), "no switch was changed");
    assert_eq!(world.dead_letters().await, Vec::<Value>::new());
    let macs: BTreeSet<&String> = before.values().map(|(_, mac)| mac).collect();
    assert_eq!(macs.len(), before.len(), "no MAC is there twice");
    world.assert_consistent().await;
    assert_eq!(run(&["audit", "--json"], &world.settings).await.code, Some(0));
    stop(serve).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_gone_is_rebuilt_with_every_address_and_mac() {
    let mut world = world().await;
    let serve = world.serve().await;
    world.publish_creates(places(0..addresses())).await;
    world.until("active", addresses()).await;
    change(&world, addresses()).await;
    let before = active(&world).await;
    stop(serve).await;

    let empty = migrated_database().await;
    world.settings = world.settings.clone().set("VMACD_DATABASE_URL", empty.url());
    let refused = run(&["rebuild", "--since", "1h", "--yes"], &world.settings).await;
    assert!(refused.code == Some(1) && refused.stderr.contains("inventory import"), "{refused:?}");
    world.import(&world.inventory).await;
    world.vmacd(&["thaw", "--all"]).await;
    rebuild_and_compare(&world, &before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_older_is_rebuilt_with_every_address_and_mac() {
    let mut world = world().await;
    let serve = world.serve().await;
    let half = addresses() / 2;
    world.publish_creates(places(0..half)).await;
    world.until("active", half).await;
    stop(serve).await;
    let copy = world.database().copy().await;
    let serve = world.serve().await;
    for place in places(half..addresses()) {
        command(&world, "create", place, "late").await;
    }
    world.until("active", addresses()).await;
    change(&world, addresses()).await;
    let before = active(&world).await;
    stop(serve).await;

    world.settings = world.settings.clone().set("VMACD_DATABASE_URL", copy.url());
    rebuild_and_compare(&world, &before).await;
}

/// Addresses from before the archive are on the switches alone.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_older_than_the_archive_is_adopted_and_later_orders_for_it_still_count() {
    let mut world = World::real(1, 2).await;
    world.settings = world.settings.clone().set("VMACD_BROKER_ARCHIVE_AGE_MAX_MS", 0);
    let serve = world.serve().await;
    for number in 1..=4 {
        world.command("create", 0, number, &format!("old-{number}")).await;
    }
    world.until("active", 4).await;
    stop(serve).await;
    world.settings = world.settings.clone().set("VMACD_BROKER_ARCHIVE_AGE_MAX_MS", 3_600_000);
    let serve = world.serve().await;
    let (from, to) = (world.server(0).to_string(), world.server(1).to_string());
    let ask = async |arguments: &[&str]| {
        let arguments: Vec<&str> = arguments.iter().copied().chain(["--wait"]).collect();
        run(&arguments, &world.settings).await.ok();
    };
    ask(&["revoke", "--server", &from, "--ip", &world.address(0, 1)]).await;
    ask(&["move", "--server", &from, "--ip", &world.address(0, 2), "--to", &to]).await;
    ask(&["rotate", "--server", &from, "--ip", &world.address(0, 3)]).await;
    ask(&["create", "--server", &from, "--ip", &world.address(0, 5)]).await;
    let before = active(&world).await;
    stop(serve).await;
    let empty = migrated_database().await;
    world.settings = world.settings.clone().set("VMACD_DATABASE_URL", empty.url());
    world.import(&world.inventory).await;
    rebuild_and_compare(&world, &before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_is_refused_while_workers_run_and_without_an_archive_says_what_that_means() {
    let world = World::real(1, 1).await;
    let serve = world.serve().await;
    let says_that_it_runs = async || world.database().count("SELECT count(*) FROM workers").await == 1;
    eventually("the worker has said that it runs", says_that_it_runs).await;
    let refused = run(&["rebuild", "--since", "1h", "--yes"], &world.settings).await;
    assert!(refused.code == Some(1) && refused.stderr.contains("workers are running"), "{refused:?}");
    stop(serve).await;
    let embedded = World::embedded(1, 1).await;
    let refused = run(&["rebuild", "--since", "1h", "--yes"], &embedded.settings).await;
    assert!(refused.code == Some(1) && refused.stderr.contains("the embedded queue keeps no archive"), "{refused:?}");
}
