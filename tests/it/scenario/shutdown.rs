//! SIGTERM: the commit in flight is finished, the rest is handed back, and nothing outside can hold the worker up.

use std::time::{Duration, Instant};

use vmacd::sim::SimHandle;

use super::world::World;
use crate::support::{Proxy, Rabbit, eventually};

/// The grace of the setting `worker.shutdown_grace_ms`, and what a loaded machine adds.
const LIMIT: Duration = Duration::from_secs(30);

async fn ends_within(serve: &mut crate::support::vmacd::Serve, limit: Duration) {
    let start = Instant::now();
    serve.sigterm();
    let status = serve.wait().await;
    assert!(status.success(), "{status}: {}", serve.log());
    assert!(start.elapsed() < limit, "it took {:?}", start.elapsed());
}

#[tokio::test]
async fn a_worker_asked_to_stop_under_load_loses_nothing_and_finishes_its_commit() {
    let world = World::real(2, 2).await;
    let commit_time = Duration::from_secs(1);
    world.switches().iter().for_each(|switch| switch.set_commit_time(commit_time));
    let mut first = world.serve().await;
    for number in 1..=60 {
        world
            .command("create", number % 4, u32::try_from(number).expect("small") / 4 + 1, &format!("m-{number}"))
            .await;
    }
    eventually("a commit is under way", async || world.commits() > 0).await;
    ends_within(&mut first, LIMIT + commit_time * 2).await;
    assert!(world.switches().iter().all(|switch| !switch.is_commit_pending()), "a commit was left half done");
    let _second = world.serve().await;
    world.until("active", 60).await;
    world.assert_consistent().await;
}

#[tokio::test]
async fn a_broker_that_swallows_everything_does_not_hold_up_a_stop() {
    let mut world = World::real(1, 1).await;
    let rabbit = Rabbit::shared();
    let proxy = Proxy::start(rabbit.authority()).await;
    world.settings = world.settings.clone().set("VMACD_AMQP_URL", rabbit.url_through(proxy.port()));
    let mut serve = world.serve().await;
    proxy.black_hole();
    ends_within(&mut serve, LIMIT).await;
}

#[tokio::test]
async fn a_database_that_swallows_everything_does_not_hold_up_a_stop() {
    let mut world = World::real(1, 1).await;
    let database = world.database();
    let proxy = Proxy::start(database.authority()).await;
    world.settings = world.settings.clone().set("VMACD_DATABASE_URL", database.url_through(proxy.port()));
    let mut serve = world.serve().await;
    proxy.black_hole();
    ends_within(&mut serve, LIMIT).await;
}

/// A worker behind a proxy, asked to stop once `until` finds its push where the network is to swallow everything.
async fn stops_with_its_push_swallowed(faults: &[&str], until: impl AsyncFn(&SimHandle)) {
    let world = World::real(1, 1).await;
    let sim = &world.switches()[0];
    let proxy = Proxy::start(&sim.addr().to_string()).await;
    world.move_switch(0, proxy.port()).await;
    faults.iter().for_each(|fault| sim.set_fault(fault).expect("a fault"));
    let mut serve = world.serve().await;
    world.command("create", 0, 1, "m-1").await;
    until(sim).await;
    proxy.black_hole();
    ends_within(&mut serve, LIMIT).await;
    proxy.restore();
    sim.clear_faults();
    let _again = world.serve().await;
    world.until("active", 1).await;
    world.assert_consistent().await;
}

#[tokio::test]
async fn a_switch_that_swallows_everything_does_not_hold_up_a_stop() {
    // Every answer is late, so that it is none to a commit that is swallowed: that one is waited for.
    stops_with_its_push_swallowed(&["slow_reply:400"], async |sim| {
        eventually("a session is open", async || sim.sessions() > 0).await;
    })
    .await;
}

#[tokio::test]
async fn a_switch_that_swallows_everything_between_commit_and_confirmation_does_not_hold_up_a_stop() {
    // Every answer is late, so that the question after the commit is still waiting for its own.
    stops_with_its_push_swallowed(&["slow_reply:400"], async |sim| {
        let asked = |rpc| sim.rpc_counts().get(rpc).copied().unwrap_or_default();
        eventually("the changes are loaded", async || asked("load-configuration") > 0).await;
        let before = asked("get-configuration");
        eventually("the switch is asked what it holds", async || asked("get-configuration") > before).await;
    })
    .await;
}
