//! One worker at a time admits commands; when it goes, another goes on in the order in which they were published.

use std::time::{Duration, Instant};

use sqlx::{Connection, Executor, PgConnection, Row};
use vmacd::domain::MessageKey;
use vmacd::store::{Outcome, Store, StoreOptions};

use super::world::World;
use crate::support::vmacd::Serve;
use crate::support::{eventually, size};

/// Pairs of revoke and create.
const PAIRS_SHORT: u32 = 300;
const PAIRS_LONG: u32 = 1_000;
/// Longest time until another admits, after the admitting worker was killed and after its host fell silent.
const KILLED_MAX: Duration = Duration::from_secs(5);
const SILENT_MAX: Duration = Duration::from_secs(20);

/// The turn that a worker had last, as its log says.
fn turn(serve: &Serve) -> u64 {
    let log = serve.log();
    let turns = log.lines().filter(|line| line.contains("this worker admits commands now"));
    let number = |line: &str| line.split("turn=").nth(1)?.split_whitespace().next()?.parse().ok();
    turns.filter_map(number).max().unwrap_or(0)
}

/// The place of the worker that admits.
fn admitting(workers: &[Serve]) -> usize {
    (0..workers.len()).max_by_key(|at| turn(&workers[*at])).expect("a worker")
}

async fn store(world: &World) -> Store {
    let url = world.settings.get("VMACD_DATABASE_URL").expect("a URL");
    Store::connect(url, StoreOptions::default()).await.expect("the database")
}

/// How long until this command is admitted.
async fn admitted_after(store: &Store, key: &str) -> Duration {
    let start = Instant::now();
    let key = MessageKey(key.to_owned());
    eventually("it is admitted", async || {
        store.commands().get(&key).await.map(|_| ()).map_err(|error| error.to_string())
    })
    .await;
    start.elapsed()
}

async fn pair(world: &World, number: u32) {
    let (server, address) = (number as usize % 4, number / 4 + 1);
    let body = world.body(server, address).to_string();
    world.publish("vmac.revoke", Some(&format!("revoke-{number}")), body.as_bytes()).await;
    world.publish("vmac.create", Some(&format!("last-{number}")), body.as_bytes()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pairs_without_times_end_bound_although_the_admitting_worker_of_three_is_killed_three_times() {
    let world = World::real(1, 4).await;
    let pairs = u32::try_from(size("VMACD_TEST_PAIRS", PAIRS_SHORT as usize, PAIRS_LONG as usize)).expect("few");
    world.vmacd(&["list"]).await;
    let store = store(&world).await;
    let mut workers = vec![world.serve().await, world.serve().await, world.serve().await];
    world.publish_creates((1..=pairs).map(|number| (number as usize % 4, number / 4 + 1))).await;
    world.until("active", pairs as usize).await;
    let mut slowest = Duration::ZERO;
    for number in 1..=pairs {
        pair(&world, number).await;
        if number % (pairs / 4) == 0 && number < pairs {
            let at = admitting(&workers);
            workers[at].kill9();
            world.publish("vmac.create", Some(&format!("marker-{number}")), b"{").await;
            let marker = world.body(0, 100_000 / 2_000 + number).to_string();
            world.publish("vmac.revoke", Some(&format!("admitted-{number}")), marker.as_bytes()).await;
            slowest = slowest.max(admitted_after(&store, &format!("admitted-{number}")).await);
            workers[at] = world.serve().await;
        }
    }
    assert!(slowest < KILLED_MAX, "another admitted after {slowest:?}");
    let keys: Vec<_> = (1..=pairs).map(|number| MessageKey(format!("last-{number}"))).collect();
    let outcomes = eventually("every last create has its outcome", async || {
        let outcomes = store.commands().outcomes(&keys).await.expect("outcomes");
        if outcomes.len() == keys.len() { Ok(outcomes) } else { Err(outcomes.len()) }
    })
    .await;
    let wrong: Vec<_> = outcomes.iter().filter(|(_, outcome)| outcome.status != Outcome::Active).collect();
    assert!(wrong.is_empty(), "{} of {pairs}: {:?}", wrong.len(), wrong.first());
    world.until("active", pairs as usize).await;
    world.assert_consistent().await;
}

/// Pauses the worker within the transaction that admits this create, where it holds its turn.
async fn pause_while_it_admits(worker: &Serve, world: &World, key: &str, body: &str) {
    let url = world.settings.get("VMACD_DATABASE_URL").expect("a URL");
    let mut other = PgConnection::connect(url).await.expect("a connection");
    let mut lock = other.begin().await.expect("a transaction");
    lock.execute("LOCK TABLE intents IN SHARE MODE").await.expect("locked");
    world.publish("vmac.create", Some(key), body.as_bytes()).await;
    let mut watching = PgConnection::connect(url).await.expect("a connection");
    eventually("its admission waits for the lock", async || {
        let waiting = "SELECT count(*) FROM pg_stat_activity
                       WHERE wait_event_type = 'Lock' AND datname = current_database()";
        let count: i64 = watching.fetch_one(waiting).await.expect("a count").get(0);
        if count > 0 { Ok(()) } else { Err("it does not wait") }
    })
    .await;
    worker.signal("STOP");
    lock.rollback().await.expect("rolled back");
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_admitting_worker_is_paused_another_admits_and_what_it_had_in_hand_comes_to_nothing() {
    let world = World::real(1, 2).await;
    let store = store(&world).await;
    world.vmacd(&["list"]).await;
    let paused = world.serve().await;
    world.command("create", 0, 1, "first").await;
    world.until("active", 1).await;
    let mut other = world.serve().await;
    // Until then it may take orders from the archive too.
    other.wait_for_line("read the archive of commands").await;
    assert!(turn(&paused) > turn(&other), "the first one admits");
    let body = world.body(0, 2).to_string();
    pause_while_it_admits(&paused, &world, "in-hand", &body).await;
    // Without times: the last one that is published wins.
    world.publish("vmac.revoke", Some("gone"), body.as_bytes()).await;
    let after = admitted_after(&store, "gone").await;
    assert!(after < SILENT_MAX, "another admitted after {after:?}");
    paused.signal("CONT");
    eventually("the other one has its turn", async || turn(&other) > turn(&paused)).await;
    // Behind everything that the woken worker may do with what it had in hand.
    world.command("create", 0, 3, "marker").await;
    world.until("active", 2).await;
    let active: Vec<_> = world.with_status("active").await.iter().map(|row| row["ip_address"].clone()).collect();
    assert!(!active.contains(&world.address(0, 2).into()), "{active:?}");
    world.assert_consistent().await;
}
