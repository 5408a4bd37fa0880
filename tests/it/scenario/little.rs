//! What a push asks of a switch while it holds its lock, as the switch counts it.

use std::time::Duration;

use vmacd::sim::{Dialect, Options};

use super::world::{World, large_switch};
use crate::support::eventually;

#[tokio::test(flavor = "multi_thread")]
async fn a_create_on_a_switch_that_is_known_asks_little_of_it_while_it_is_locked() {
    for dialect in [Dialect::NonEls, Dialect::Els] {
        let options = Options { rpc_time: Duration::from_millis(50), ..large_switch(dialect) };
        let world = World::embedded_with(options).await;
        let (sim, _serve) = (world.switches()[0].clone(), world.serve().await);
        let create = async |number| {
            let (server, ip) = (world.server(0).to_string(), world.address(0, number));
            let told = world.vmacd(&["create", "--server", &server, "--ip", &ip, "--wait"]).await;
            assert_eq!(told["status"], "active", "{told}");
        };
        create(1).await;
        // Twice before the push, in it with the lock and the confirmation, and once after it.
        let asked = || sim.rpc_counts().get("get-commit-information").copied().unwrap_or(0);
        eventually("the switch is read again", async || if asked() >= 5 { Ok(()) } else { Err(asked()) }).await;
        sim.forget_lock_holds();
        let held = sim.committed_bytes();
        create(2).await;
        let holds = sim.lock_holds();
        assert_eq!(holds.len(), 1, "{holds:?}");
        let hold = &holds[0];
        // The request for the lock is the eighth.
        assert!(hold.requests.len() <= 7 && hold.round_trips <= 6, "{hold:?}");
        assert!(hold.bytes <= 15_000 && held.len() >= 1_000_000, "{} bytes of {}", hold.bytes, held.len());
        let backups = world.vmacd(&["backups", "list", "sw-001"]).await;
        assert_eq!(backups[0]["bytes"], held.len(), "the backup is of what was there before: {backups}");
    }
}
