//! The primary dies while its standby lags behind, and the standby is promoted: orders that were acknowledged are missing in
//! it. They come back from RabbitMQ's archive, and none is lost or done twice. A long run does it 20 times with 10,000 commands.

use std::collections::BTreeMap;

use vmacd::sim::Options;

use crate::scenario::brought_back::active;
use crate::scenario::world::World;
use crate::support::pair::Pair;
use crate::support::{eventually, size};

const PROMOTIONS_SHORT: usize = 1;
const PROMOTIONS_LONG: usize = 20;
const COMMANDS_SHORT: usize = 300;
const COMMANDS_LONG: usize = 10_000;
const SERVERS: usize = 40;
const DATABASE: &str = "postgres";
const ADMITTED: &str = "SELECT count(*) FROM commands";

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn orders_that_a_standby_never_had_come_back_once_with_their_macs_on_private_servers() {
    let promotions = size("VMACD_TEST_PROMOTIONS", PROMOTIONS_SHORT, PROMOTIONS_LONG);
    let commands = size("VMACD_TEST_COMMANDS", COMMANDS_SHORT, COMMANDS_LONG) / promotions;
    let mut missing = Vec::new();
    for _ in 0..promotions {
        missing.push(promoted_while_held_back(commands).await);
    }
    eprintln!("{promotions} promotions of {commands} commands; missing in the standby: {missing:?}");
    assert!(missing.iter().all(|missing| *missing > 0), "nothing was held back: {missing:?}");
}

/// Returns how many commands the promoted standby lacked.
async fn promoted_while_held_back(commands: usize) -> i64 {
    let mut pair = Pair::start_to_hold_back().await;
    let options = Options { switches: 4, ports_per_switch: SERVERS / 4, ..Options::default() };
    let world = World::on_postgres(&pair.url(DATABASE), options).await;
    let serve = world.serve().await;
    let half = commands / 2;
    publish(&world, 0..half).await;
    world.until("active", half).await;
    eventually("the standby has all of it", async || pair.is_followed_up().await).await;
    pair.hold_back();
    // These are admitted, done and told, and only the primary has them.
    publish(&world, half..commands - commands / 10).await;
    world.until("active", commands - commands / 10).await;
    let before = active(&world).await;
    let admitted = pair.count(DATABASE, ADMITTED).await;
    pair.kill_primary();
    pair.promote().await;
    let missing = admitted - pair.count(DATABASE, ADMITTED).await;
    // Commands come in after.
    publish(&world, commands - commands / 10..commands).await;
    world.until("active", commands).await;
    let after: BTreeMap<_, _> = active(&world).await.into_iter().filter(|(ip, _)| before.contains_key(ip)).collect();
    assert_eq!(after, before, "with the MACs that they had");
    let commands = i64::try_from(commands).expect("few");
    for (sql, expected) in [
        (ADMITTED, commands),
        ("SELECT count(*) FROM virtual_macs", commands),
        ("SELECT count(DISTINCT mac_address) FROM virtual_macs", commands),
        ("SELECT count(*) FROM dead_letters", 0),
    ] {
        assert_eq!(pair.count(DATABASE, sql).await, expected, "{sql}");
    }
    world.assert_consistent().await;
    assert!(serve.log().contains("admitted again what the database had lost"), "it says so");
    missing
}

/// Publishes creates, each of an address of its own.
async fn publish(world: &World, numbers: std::ops::Range<usize>) {
    for number in numbers {
        let address = u32::try_from(number / SERVERS + 1).expect("few");
        world.command("create", number % SERVERS, address, &format!("n-{number}")).await;
    }
}
