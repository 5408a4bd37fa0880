//! A hundred switches under steady load, and one of them takes connections and says nothing.

use std::collections::HashSet;
use std::time::Duration;

use crate::options::Options;
use crate::report::stats::{median, percentile, spread};
use crate::report::table::Row;
use crate::support::Proxy;
use crate::world::World;
use crate::world::producer::Producer;
use crate::world::sims::Estate;
use crate::world::watch::Watch;

const NAME: &str = "dead";
const SWITCHES: usize = 100;
/// The one that is dead, where one is.
const FIRST: &str = "sw-001";
const GOAL: f64 = 1.10;

pub async fn run(options: &Options) -> Vec<Row> {
    let mut rows = Vec::new();
    for (commit_time, per_second) in [("0s", 50.0), ("200ms", 50.0)] {
        rows.push(compare(options, commit_time, per_second).await);
    }
    rows
}

async fn compare(options: &Options, commit_time: &'static str, per_second: f64) -> Row {
    let seconds = options.of(4.0, 15.0, 20.0);
    let (mut healthy, mut with_dead) = (Vec::new(), Vec::new());
    for _ in 0..options.of(1, 2, 3) {
        healthy.push(p99_ms(0, commit_time, per_second, seconds).await);
        with_dead.push(p99_ms(1, commit_time, per_second, seconds).await);
    }
    let ratio = median(&with_dead) / median(&healthy);
    let measured = format!("{ratio:.2} x: {} against {} ms", spread(&with_dead, 0), spread(&healthy, 0));
    let conditions = format!(
        "{SWITCHES} switches, commit {commit_time}, {per_second:.0} creates a second in all for {seconds:.0} s; alternating"
    );
    let what = format!("p99 of the 99 healthy ones with one dead / with none, commit {commit_time}");
    Row::goal(NAME, &what, measured, "<= 1.10 x", ratio <= GOAL, &conditions)
}

/// The p99 from publish to event at all switches but the first, of which so many are dead.
async fn p99_ms(dead: usize, commit_time: &'static str, per_second: f64, seconds: f64) -> f64 {
    let hole = Proxy::start("127.0.0.1:1").await;
    hole.black_hole();
    let (world, dead) =
        World::with_dead(Estate { switches: SWITCHES, ports: 1, commit_time, sim_flags: "" }, dead, hole.port()).await;
    let _worker = world.serve().await;
    let (mut watch, producer) = (Watch::start(&world).await, Producer::to(&world).await);
    warm_up(&world, SWITCHES, &dead, &producer, &mut watch).await;
    let creates = world.creates(SWITCHES, (per_second * seconds) as usize);
    let due = producer.publish_evenly(&creates, per_second).await;
    let mut latencies = Vec::new();
    let expected = SWITCHES - dead.len() + creates.iter().filter(|create| !dead.contains(&create.switch)).count();
    watch
        .until(expected, Duration::from_secs(60))
        .await
        .unwrap_or_else(|seen| panic!("{seen} of {expected} were active"));
    let arrivals = watch.arrivals();
    for (create, due) in creates.iter().zip(due).filter(|(create, _)| create.switch != FIRST) {
        let came = arrivals[create.number].expect("all of the healthy ones came");
        latencies.push((came - due).as_secs_f64() * 1000.0);
    }
    let (p50, p99) = (percentile(&latencies, 0.5), percentile(&latencies, 0.99));
    eprintln!("   {} dead, commit {commit_time}: p50 {p50:.1} ms, p99 {p99:.1} ms", dead.len());
    p99
}

/// One create for each switch, which opens the sessions.
pub(super) async fn warm_up(
    world: &World,
    switches: usize,
    dead: &HashSet<String>,
    producer: &Producer,
    watch: &mut Watch,
) {
    let creates = world.creates(0, switches);
    let expected = creates.iter().filter(|create| !dead.contains(&create.switch)).count();
    producer.publish_all(&creates).await;
    watch
        .until(expected, Duration::from_secs(60))
        .await
        .unwrap_or_else(|seen| panic!("{seen} of {expected} were active"));
}
