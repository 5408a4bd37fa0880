//! kill -9 between any two steps of a push, then a restart: the same end state.

use super::world::World;
use crate::support::eventually;
use crate::support::vmacd::Serve;

/// Every stage at which a push can be cut short, in order; the name is what `worker.abort_at` takes.
const STAGES: &[&str] = &[
    "connected",
    "locked",
    "backed-up",
    "read",
    "gathered",
    "prepared",
    "loaded",
    "sent",
    "committed",
    "read-back",
    "answered",
    "confirmed",
    "unlocked",
    "resolved",
    "settled",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_at_any_stage_of_a_push_loses_nothing_and_binds_nothing_twice() {
    let world = World::real(1, 2).await;
    for (round, stage) in STAGES.iter().enumerate() {
        let number = u32::try_from(round).expect("few") + 1;
        let dying = world.settings.clone().set("VMACD_WORKER_ABORT_AT", stage);
        let mut worker = Serve::start(&dying).await;
        world.command("create", 0, number, &format!("c-{stage}")).await;
        if round > 0 {
            world.command("revoke", 0, number - 1, &format!("r-{stage}")).await;
        }
        let status = worker.wait().await;
        assert!(!status.success(), "the worker went past stage {stage}");
        let mut worker = world.serve().await;
        world.until("active", 1).await;
        eventually("the switch holds what the rows say", async || world.held() == world.wanted().await).await;
        worker.sigterm();
        assert!(worker.wait().await.success());
    }
    assert!(world.dead_letters().await.is_empty());
    world.assert_consistent().await;
}
