//! A worker whose control group has little memory.

use vmacd::sim::Options;

use crate::scenario::world::World;
use crate::support::vmacd::Serve;
use crate::support::{MemoryGroup, size};

const SWITCHES: usize = 4;
/// Of what each switch shows.
const CONFIG_BYTES: usize = 200_000;
/// Of each switch; in a long run more than the worker may have in hand.
const CREATES: (usize, usize) = (40, 150);
/// Of each message; nothing of it but the beginning means anything.
const BODY_BYTES: usize = 60_000;
const LIMIT_MIB: u64 = 160;

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_with_little_memory_takes_less_in_hand_and_does_everything() {
    let creates = size("VMACD_TEST_MESSAGES", CREATES.0, CREATES.1);
    let Some(group) = MemoryGroup::make(LIMIT_MIB) else { return };
    let options = Options { switches: SWITCHES, ports_per_switch: 1, config_size: CONFIG_BYTES, ..Options::default() };
    let world = World::real_with(options).await;
    // Makes the queue: all of it waits when the worker starts, more than its share of the memory.
    world.vmacd(&["list"]).await;
    let mut serve = Serve::start(&world.settings).await;
    serve.sigterm();
    assert!(serve.wait().await.success());
    for index in 0..SWITCHES {
        for number in 1..=u32::try_from(creates).expect("few") {
            let mut body = world.body(index, number).to_string().into_bytes();
            body.resize(BODY_BYTES, b' ');
            world.publish("vmac.create", Some(&format!("m-{index}-{number}")), &body).await;
        }
    }
    let mut serve = Serve::start(&world.settings.clone().through(group.prefix())).await;
    serve.wait_for_line("raise the memory limit of this control group").await;
    world.until("active", SWITCHES * creates).await;
    eprintln!("at most {} MB with a limit of {LIMIT_MIB} MiB", serve.peak_memory_mb());
    assert_eq!(group.kills(), 0, "the kernel killed it");
    assert!(serve.is_running());
    assert!(world.dead_letters().await.is_empty());
    world.assert_consistent().await;
}
