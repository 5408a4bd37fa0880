//! Three in ten switches take connections and say nothing: the rate at which the others get their creates.

use std::time::{Duration, Instant};

use crate::options::Options;
use crate::producer::Producer;
use crate::sims::Estate;
use crate::stats::{median, spread};
use crate::support::Proxy;
use crate::table::Row;
use crate::watch::Watch;
use crate::world::World;

const NAME: &str = "dead-many";
const PER_SWITCH: usize = 10;
const GOAL: f64 = 0.9;

pub async fn run(options: &Options) -> Vec<Row> {
    // Where the switches take their time, dead ones must not take the slots of others; where they take none, the cores
    // are the bound, and the dead ones' messages must be taken in and put off all the same.
    let (slots, cores) = (compare(options, "500ms").await, compare(options, "0s").await);
    let what = "creates a second at the healthy ones, with the dead / without";
    let (ratio, measured, conditions) = slots;
    let goal = Row::goal(NAME, what, measured, ">= 0.90", ratio >= GOAL, &conditions);
    let (_, measured, conditions) = cores;
    let conditions = format!("{conditions}; the cores are the bound, and the dead ones' messages are taken in too");
    vec![goal, Row::context(NAME, what, measured, &conditions)]
}

/// The ratio, both figures, and how they were measured.
async fn compare(options: &Options, commit_time: &'static str) -> (f64, String, String) {
    let (switches, dead) = options.of((60, 18), (300, 90), (1_000, 300));
    let estate = |switches| Estate { switches, ports: 1, commit_time };
    let (mut healthy, mut with_dead) = (Vec::new(), Vec::new());
    for _ in 0..options.of(1, 2, 2) {
        healthy.push(per_second(estate(switches - dead), 0).await);
        with_dead.push(per_second(estate(switches), dead).await);
    }
    let ratio = median(&with_dead) / median(&healthy);
    let measured = format!("{ratio:.2}: {} against {} a second", spread(&with_dead, 0), spread(&healthy, 0));
    let conditions = format!(
        "{switches} switches of which {dead} are dead, against {} healthy ones alone; {PER_SWITCH} creates for each at once, \
         commit {commit_time}; alternating",
        switches - dead
    );
    (ratio, measured, conditions)
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
