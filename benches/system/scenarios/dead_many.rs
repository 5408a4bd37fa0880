//! Three in ten switches take connections and say nothing: the rate at which the others get their creates.

use std::time::{Duration, Instant};

use super::dead::warm_up;
use crate::options::Options;
use crate::report::stats::{median, percentile, spread};
use crate::report::table::Row;
use crate::support::Proxy;
use crate::world::producer::Producer;
use crate::world::sims::Estate;
use crate::world::watch::Watch;
use crate::world::{Create, World};

const NAME: &str = "dead-many";
/// Of a burst.
const PER_SWITCH: usize = 10;
const PER_SWITCH_AND_SECOND: f64 = 0.1;
/// The same where 64 pushes at a time are nearly what the healthy ones need.
const NEAR_THE_BOUND: f64 = 0.25;
const GOAL: f64 = 0.9;

pub async fn run(options: &Options) -> Vec<Row> {
    let mut rows = vec![steady(options, PER_SWITCH_AND_SECOND).await, steady(options, NEAR_THE_BOUND).await];
    for commit_time in ["500ms", "0s"] {
        rows.push(burst(options, commit_time).await);
    }
    rows
}

/// Creates come evenly, as many for each switch, so that the healthy ones have the same to do with the dead and without.
async fn steady(options: &Options, rate: f64) -> Row {
    let (switches, dead) = options.of((60, 18), (300, 90), (1_000, 300));
    let estate = |switches| Estate { switches, ports: 1, commit_time: "500ms", sim_flags: "" };
    let seconds = options.of(10.0, 20.0, 20.0);
    let (mut healthy, mut with_dead) = (Vec::new(), Vec::new());
    for _ in 0..options.of(1, 2, 2) {
        healthy.push(under_load(estate(switches - dead), 0, rate, seconds).await);
        with_dead.push(under_load(estate(switches), dead, rate, seconds).await);
    }
    let ratio = median(&with_dead) / median(&healthy);
    let measured = format!("{ratio:.2}: {} against {} a second", spread(&with_dead, 1), spread(&healthy, 1));
    let conditions = format!(
        "{switches} switches of which {dead} are dead, against {} healthy ones alone; a create for each every {:.0} s, for \
         {seconds:.0} s, commit 500ms; alternating",
        switches - dead,
        1.0 / rate
    );
    let what = "creates a second at the healthy ones under steady load, with the dead / without";
    match rate > PER_SWITCH_AND_SECOND {
        true => Row::context(NAME, what, measured, &format!("{conditions}; near what the push slots allow")),
        false => Row::goal(NAME, what, measured, ">= 0.90", ratio >= GOAL, &conditions),
    }
}

/// Healthy creates a second that became active while the load was on.
async fn under_load(estate: Estate, dead: usize, rate: f64, seconds: f64) -> f64 {
    let switches = estate.switches;
    let hole = Proxy::start("127.0.0.1:1").await;
    hole.black_hole();
    let (world, dead) = World::with_dead(estate, dead, hole.port()).await;
    let _worker = world.serve().await;
    let (mut watch, producer) = (Watch::start(&world).await, Producer::to(&world).await);
    warm_up(&world, switches, &dead, &producer, &mut watch).await;
    let per_second = switches as f64 * rate;
    let creates = world.creates(switches, (per_second * seconds) as usize);
    let (before, began) = (watch.count(), Instant::now());
    let due = producer.publish_evenly(&creates, per_second).await;
    let active = (watch.count() - before) as f64 / began.elapsed().as_secs_f64();
    let arrivals = watch.arrivals();
    let came = |create: &Create| arrivals.get(create.number).copied().flatten();
    let latencies = creates.iter().zip(due).filter_map(|(create, due)| Some((came(create)? - due).as_secs_f64()));
    let latencies: Vec<f64> = latencies.collect();
    let (p50, p99) = (percentile(&latencies, 0.5), percentile(&latencies, 0.99));
    eprintln!(
        "   {switches} switches, {} dead, {per_second:.0} creates a second: {active:.1} at the others, p50 {p50:.2} s, p99 {p99:.2} s",
        dead.len()
    );
    active
}

/// All at once: the dead ones' messages stand among the others and must be taken in too, which is most of the difference.
async fn burst(options: &Options, commit_time: &'static str) -> Row {
    let (switches, dead) = options.of((60, 18), (300, 90), (1_000, 300));
    let estate = |switches| Estate { switches, ports: 1, commit_time, sim_flags: "" };
    let (mut healthy, mut with_dead) = (Vec::new(), Vec::new());
    for _ in 0..options.of(1, 2, 2) {
        healthy.push(per_second(estate(switches - dead), 0).await);
        with_dead.push(per_second(estate(switches), dead).await);
    }
    let ratio = median(&with_dead) / median(&healthy);
    let measured = format!("{ratio:.2}: {} against {} a second", spread(&with_dead, 0), spread(&healthy, 0));
    let conditions = format!(
        "{switches} switches of which {dead} are dead, against {} healthy ones alone; {PER_SWITCH} creates for each at once \
         (with the dead {} messages, without {}), commit {commit_time}; alternating",
        switches - dead,
        switches * PER_SWITCH,
        (switches - dead) * PER_SWITCH,
    );
    let what = "creates a second at the healthy ones in a burst, with the dead / without";
    Row::context(NAME, what, measured, &conditions)
}

async fn per_second(estate: Estate, dead: usize) -> f64 {
    let switches = estate.switches;
    let hole = Proxy::start("127.0.0.1:1").await;
    hole.black_hole();
    let (world, dead) = World::with_dead(estate, dead, hole.port()).await;
    let _worker = world.serve().await;
    let (mut watch, producer) = (Watch::start(&world).await, Producer::to(&world).await);
    let creates = world.creates(0, switches * PER_SWITCH);
    let healthy = (switches - dead.len()) * PER_SWITCH;
    let began = Instant::now();
    producer.publish_all(&creates).await;
    let done = watch.until(healthy, Duration::from_secs(120)).await;
    done.unwrap_or_else(|seen| panic!("{seen} of {healthy} creates were active"));
    let last = watch.arrivals().into_iter().flatten().max().expect("an event");
    let per_second = healthy as f64 / (last - began).as_secs_f64();
    eprintln!("   {switches} switches, {} dead: {per_second:.0} creates a second at the others", dead.len());
    per_second
}
