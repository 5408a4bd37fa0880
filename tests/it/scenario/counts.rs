//! What a burst costs, in counts that do not depend on the machine's mood: commits, requests and statements.

use super::world::World;
use crate::support::eventually;
use crate::support::http::get;
use crate::support::vmacd::Serve;

const BURST: u32 = 400;

/// The value of a counter.
async fn counter(serve: &Serve, name: &str) -> f64 {
    let text = get(&format!("{}/metrics", serve.http_url()), None).await.body;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{name} in {text}")).parse().expect("a number")
}

#[tokio::test]
async fn a_burst_of_commands_costs_few_commits_requests_and_statements() {
    let world = World::real(1, 2).await;
    // Once, so that the queues are there; then all of the burst waits when it starts again.
    let mut before = world.serve().await;
    before.sigterm();
    before.wait().await;
    for number in 1..=BURST / 2 {
        world.command("create", 0, number, &format!("a-{number}")).await;
        world.command("create", 1, number, &format!("b-{number}")).await;
    }
    let serve = world.serve().await;
    let began = std::time::Instant::now();
    world.until("active", BURST as usize).await;
    eventually("every message is settled and every event published", async || {
        let left = counter(&serve, "vmacd_messages_held").await + counter(&serve, "vmacd_events_waiting").await;
        if left == 0.0 { Ok(()) } else { Err(left) }
    })
    .await;
    let pushes = counter(&serve, "vmacd_push_changes_count").await;
    assert!(pushes <= 2.0, "{pushes} pushes");
    let switch = &world.switches()[0];
    let requests: u64 = switch.rpc_counts().values().sum();
    // Ahead of the first push: history, configuration, places, history. After the last the same without the first of them:
    // the push knows the version that it left. Each push: lock, history, load, commit, bindings, confirm, history, unlock, and
    // ahead of a second one what is read ahead of the first. Then what is in force (ports, learned MACs, source guard), and
    // the session's own.
    assert!(requests as f64 <= pushes * 12.0 + 3.0 + 3.0 + 3.0, "{requests} requests: {:?}", switch.rpc_counts());
    let statements = counter(&serve, "vmacd_database_statements_total").await;
    // What is looked for by the clock (work left over, events, freezes, these counts) comes on top, whatever the burst.
    let by_the_clock = began.elapsed().as_secs_f64() * 10.0;
    assert!(statements < f64::from(BURST) / 2.0 + by_the_clock, "{statements} statements for {BURST} commands");
}
