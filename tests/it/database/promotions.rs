//! The primary dies under load and its standby is promoted, again and again: nothing that was acknowledged is lost or done twice.
//! A long run does it 20 times with 10,000 commands.

use std::time::{Duration, Instant};

use vmacd::sim::Options;

use crate::scenario::world::World;
use crate::support::pair::Pair;
use crate::support::vmacd::Serve;
use crate::support::{eventually, eventually_within, size};

const PROMOTIONS_SHORT: usize = 2;
const PROMOTIONS_LONG: usize = 20;
const COMMANDS_SHORT: usize = 300;
const COMMANDS_LONG: usize = 10_000;
/// How soon the worker admits commands again once the standby takes writes.
const AGAIN_WITHIN: Duration = Duration::from_secs(10);
const SERVERS: usize = 40;
const DATABASE: &str = "postgres";
const ADMITTED: &str = "SELECT count(*) FROM commands";

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_order_is_lost_or_done_twice_when_a_synchronous_standby_is_promoted_under_load_on_private_servers() {
    let promotions = size("VMACD_TEST_PROMOTIONS", PROMOTIONS_SHORT, PROMOTIONS_LONG);
    let commands = size("VMACD_TEST_COMMANDS", COMMANDS_SHORT, COMMANDS_LONG);
    let mut pair = Pair::start().await;
    pair.synchronous().await;
    let world = World::on_postgres(&pair.url(DATABASE), options()).await;
    let serve = world.serve().await;
    let parts: Vec<Vec<usize>> = parts(commands, promotions + 1);
    let mut took = Vec::new();
    for part in &parts[..promotions] {
        took.push(promoted_under_load(&world, &mut pair, part).await);
        pair.rejoin().await;
        pair.synchronous().await;
    }
    publish(&world, &parts[promotions]).await;
    everything_is_done_once(&world, &pair, commands).await;
    eprintln!("{promotions} promotions, {commands} commands; admitting again after (ms): {}", told(&took));
    assert!(took.iter().all(|time| *time < AGAIN_WITHIN), "admitting again took {took:?}");
    assert_in_order(&serve, &pair);
}

fn options() -> Options {
    Options { switches: 4, ports_per_switch: SERVERS / 4, ..Options::default() }
}

fn told(times: &[Duration]) -> String {
    let mut times: Vec<_> = times.iter().map(Duration::as_millis).collect();
    times.sort_unstable();
    times.iter().map(u128::to_string).collect::<Vec<_>>().join(" ")
}

/// The numbers of commands in so many parts.
fn parts(commands: usize, parts: usize) -> Vec<Vec<usize>> {
    let numbers: Vec<usize> = (0..commands).collect();
    numbers.chunks(commands.div_ceil(parts)).map(<[usize]>::to_vec).collect()
}

/// Publishes creates, each of an address of its own.
async fn publish(world: &World, numbers: &[usize]) {
    for number in numbers {
        let address = u32::try_from(number / SERVERS + 1).expect("few");
        world.command("create", number % SERVERS, address, &format!("n-{number}")).await;
    }
}

/// The primary is killed while these commands come in, and the standby promoted. How long it takes from then until one that is
/// published after it is admitted.
async fn promoted_under_load(world: &World, pair: &mut Pair, numbers: &[usize]) -> Duration {
    let before = pair.count(DATABASE, ADMITTED).await;
    let (first, rest) = numbers.split_at(numbers.len() / 3);
    let (last, rest) = rest.split_last().expect("more than one");
    publish(world, first).await;
    eventually("some are admitted", async || pair.count(DATABASE, ADMITTED).await > before).await;
    let failed_over = async {
        pair.kill_primary();
        pair.promote().await;
        Instant::now()
    };
    // Commands come in before, while and after.
    let (promoted, ()) = tokio::join!(failed_over, publish(world, rest));
    publish(world, &[*last]).await;
    let is_admitted = format!("{ADMITTED} WHERE message_id = 'n-{last}'");
    eventually("commands are admitted again", async || pair.count(DATABASE, &is_admitted).await == 1).await;
    promoted.elapsed()
}

async fn everything_is_done_once(world: &World, pair: &Pair, commands: usize) {
    let commands = i64::try_from(commands).expect("few");
    let done = "SELECT count(*) FROM commands WHERE outcome = 'active'";
    eventually_within(Duration::from_secs(300), "every command is done", async || {
        let done = pair.count(DATABASE, done).await;
        if done == commands { Ok(()) } else { Err(format!("{done} of {commands}")) }
    })
    .await;
    for (sql, expected) in [
        (ADMITTED, commands),
        ("SELECT count(*) FROM virtual_macs", commands),
        ("SELECT count(DISTINCT mac_address) FROM virtual_macs", commands),
        ("SELECT count(DISTINCT ip_address) FROM virtual_macs WHERE status = 'active'", commands),
        ("SELECT count(*) FROM dead_letters", 0),
    ] {
        assert_eq!(pair.count(DATABASE, sql).await, expected, "{sql}");
    }
    world.assert_consistent().await;
    let waiting = "SELECT count(*) FROM unpublished_events";
    eventually("every event is published", async || pair.count(DATABASE, waiting).await == 0).await;
}

/// Nothing of it was anybody's fault, and no password is in the log.
fn assert_in_order(serve: &Serve, pair: &Pair) {
    let (log, url) = (serve.log(), pair.primary_url(DATABASE));
    assert!(log.contains("another host of the database takes the writes now"), "it did not move");
    let password = url.rsplit_once('@').and_then(|(login, _)| login.rsplit_once(':')).expect("a password").1;
    for wrong in ["panicked", "one by one", password] {
        assert!(!log.contains(wrong), "{wrong:?} is in the log");
    }
}
