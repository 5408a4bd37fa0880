//! A third of the switches takes connections and says nothing: the others do not wait for it.
//!
//! There are fewer pushes at a time than dead switches. By hand, larger:
//! `VMACD_TEST_SWITCHES=1000 VMACD_TEST_DEAD=300 VMACD_TEST_PUSHES=64 tests/run --no-capture a_third_of_the_switches`

use crate::scenario::world::World;
use crate::support::{Proxy, number};

const PER_SWITCH: u32 = 10;

#[tokio::test(flavor = "multi_thread")]
async fn a_third_of_the_switches_being_dead_holds_up_none_of_the_others() {
    let switches: usize = number("VMACD_TEST_SWITCHES").unwrap_or(60);
    let dead: usize = number("VMACD_TEST_DEAD").unwrap_or(20);
    let mut world = World::real(switches, 1).await;
    // A dead one is waited for until the test is over: none of its messages is given up meanwhile.
    let settings = world.settings.clone().set("VMACD_SSH_CONNECT_TIMEOUT_MS", 300_000);
    world.settings = settings.set("VMACD_WORKER_PUSHES_MAX", number("VMACD_TEST_PUSHES").unwrap_or(8));
    let hole = Proxy::start(&world.switches()[0].addr().to_string()).await;
    hole.black_hole();
    world.move_switches(0..dead, hole.port()).await;
    let _serve = world.serve().await;
    let of_all = (1..=PER_SWITCH).flat_map(|number| (0..switches).map(move |index| (index, number)));
    world.publish_creates(of_all).await;
    let active = world.until("active", (switches - dead) * PER_SWITCH as usize).await;
    let waiting = world.with_status("pending").await;
    assert_eq!(waiting.len(), dead * PER_SWITCH as usize, "the dead ones' commands still wait");
    let is_dead = |switch: &str| (0..dead).any(|index| world.switch_of(index) == switch);
    let of = |row: &serde_json::Value| row["switch_bindings"][0]["switch"].as_str().map(is_dead);
    assert!(active.iter().all(|row| of(row) == Some(false)), "{active:?}");
    assert!(waiting.iter().all(|row| of(row) == Some(true)), "{waiting:?}");
    world.assert_consistent().await;
}
