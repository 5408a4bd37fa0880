//! A queue that is deeper than memory should be: what the worker needs at its peak.

use std::time::Duration;

use crate::options::Options;
use crate::process::peak_memory_mb;
use crate::report::table::Row;
use crate::world::World;
use crate::world::producer::Producer;
use crate::world::sims::Estate;
use crate::world::watch::Watch;

const NAME: &str = "depth";
/// More than a worker holds at a time.
const SETTLED: usize = 6_000;
const GOAL_MB: f64 = 200.0;
const GOAL_FLAT: f64 = 1.2;

pub async fn run(options: &Options) -> Vec<Row> {
    let depths: &[usize] =
        options.of(&[1_000, 10_000], &[1_000, 10_000, 100_000], &[1_000, 10_000, 100_000, 1_000_000]);
    let mut peaks = Vec::new();
    for depth in depths {
        peaks.push(peak_mb(*depth).await);
    }
    let each = |(depth, peak): (&usize, &f64)| format!("{peak:.0} MB with {depth}");
    let measured: Vec<String> = depths.iter().zip(&peaks).map(each).collect();
    let most = peaks.iter().copied().fold(0.0, f64::max);
    let conditions = format!("40 switches, commit 0 s; until {SETTLED} or all of them were active");
    let mut rows =
        vec![Row::goal(NAME, "worker's peak memory", measured.join(", "), "< 200 MB", most < GOAL_MB, &conditions)];
    if let [_, ten_thousand, .., deepest] = peaks.as_slice() {
        let (flat, of) = (deepest / ten_thousand, depths.last().expect("depths"));
        let what = format!("worker's peak memory with {of} messages / with 10000");
        let conditions = "with fewer than its prefetch of 1000 it holds less";
        rows.push(Row::goal(NAME, &what, format!("{flat:.2} x"), "<= 1.2 x", flat <= GOAL_FLAT, conditions));
    }
    rows
}

async fn peak_mb(depth: usize) -> f64 {
    // Each server has 250 addresses.
    let ports = (depth / 10_000).max(4);
    let world = World::start(Estate { switches: 40, ports, commit_time: "0s", sim_flags: "" }).await;
    // Declares the exchanges and queues.
    drop(world.serve().await);
    Producer::to(&world).await.publish_all(&world.creates(0, depth)).await;
    let mut watch = Watch::start(&world).await;
    let worker = world.serve().await;
    let settled = depth.min(SETTLED);
    let done = watch.until(settled, Duration::from_secs(180)).await;
    done.unwrap_or_else(|seen| panic!("{seen} of {settled} creates were active"));
    let peak_mb = peak_memory_mb(worker.pid());
    eprintln!("   {depth} messages: {peak_mb:.0} MB");
    peak_mb
}
