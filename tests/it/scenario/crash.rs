//! kill -9 before and after each step from the admission to the results, then a restart: the same end state.

use std::time::Duration;

use super::world::World;
use crate::support::eventually;
use crate::support::vmacd::Serve;

/// How long the lease of a world's worker holds, and what a push and two ticks take besides.
const LEASE: Duration = Duration::from_secs(3);
const SLACK: Duration = Duration::from_secs(10);

/// Every point at which a command can be cut short, in order: the failpoints' names.
const POINTS: &[&str] = &[
    "intake::admitted",
    "intake::acknowledged",
    "dispatcher::poll",
    "lane::claimed",
    "push::opened",
    "push::connected",
    "push::locked",
    "push::backed-up",
    "push::read",
    "push::gathered",
    "push::loaded",
    "push::sent",
    "push::committed",
    "push::read-back",
    "push::answered",
    "push::confirmed",
    "push::unlocked",
    "push::resolved",
    "push::reported",
    "push::settled",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_at_any_point_loses_nothing_and_nothing_waits_longer_than_the_lease() {
    let world = World::real(1, 2).await;
    for (round, stage) in POINTS.iter().enumerate() {
        let number = u32::try_from(round).expect("few") + 1;
        let dying = world.settings.clone().set("FAILPOINTS", format!("{stage}=abort"));
        let mut worker = Serve::start(&dying).await;
        world.command("create", 0, number, &format!("c-{stage}")).await;
        if round > 0 {
            world.command("revoke", 0, number - 1, &format!("r-{stage}")).await;
        }
        let status = worker.wait().await;
        assert!(!status.success(), "the worker went past {stage}");
        let mut worker = world.serve().await;
        let started = std::time::Instant::now();
        world.until("active", 1).await;
        eventually("the switch holds what the rows say", async || world.held() == world.wanted().await).await;
        let waited = started.elapsed();
        assert!(waited < LEASE + SLACK, "{stage}: {waited:?}");
        worker.sigterm();
        assert!(worker.wait().await.success());
    }
    assert!(world.dead_letters().await.is_empty());
    world.assert_consistent().await;
}
