//! A thousand switches and one worker: memory, sessions, and how soon the first of them has its change.

use std::time::{Duration, Instant};

use crate::options::Options;
use crate::process::peak_memory_mb;
use crate::report::table::Row;
use crate::world::World;
use crate::world::producer::Producer;
use crate::world::sims::Estate;
use crate::world::watch::Watch;
use crate::world::worker::Worker;

const NAME: &str = "switches";
const GOAL_MB: f64 = 500.0;
const GOAL_FIRST_S: f64 = 2.0;
/// The default of `worker.sessions_max`.
const SESSIONS_MAX: f64 = 512.0;

pub async fn run(options: &Options) -> Vec<Row> {
    let switches = options.of(100, 1_000, 1_000);
    let world = World::start(Estate { switches, ports: 1, commit_time: "0s", sim_flags: "" }).await;
    // Declares the exchanges and queues.
    drop(world.serve().await);
    Producer::to(&world).await.publish_all(&world.creates(0, switches)).await;
    let mut watch = Watch::start(&world).await;
    let began = Instant::now();
    let worker = world.serve().await;
    let sessions = until_all(&worker, &mut watch, switches).await;
    let arrivals: Vec<Instant> = watch.arrivals().into_iter().flatten().collect();
    let after = |came: &Instant| (*came - began).as_secs_f64();
    let first_s = arrivals.iter().map(after).fold(f64::MAX, f64::min);
    let all_s = arrivals.iter().map(after).fold(0.0, f64::max);
    let peak_mb = peak_memory_mb(worker.pid());
    let conditions =
        format!("{switches} switches, one create for each in the queue when the worker starts, commit 0 s");
    vec![
        Row::goal(NAME, "worker's peak memory", format!("{peak_mb:.0} MB"), "< 500 MB", peak_mb < GOAL_MB, &conditions),
        Row::goal(
            NAME,
            "most sessions open at a time",
            format!("{sessions:.0}"),
            "<= 512, the setting",
            sessions <= SESSIONS_MAX,
            "as /metrics says, asked each 50 ms",
        ),
        Row::goal(
            NAME,
            "from the start of the process to the first active event",
            format!("{first_s:.2} s"),
            "< 2 s",
            first_s < GOAL_FIRST_S,
            &conditions,
        ),
        Row::context(NAME, "from the start of the process to the last", format!("{all_s:.1} s"), &conditions),
    ]
}

/// Waits for every create; gives the most sessions that were open.
async fn until_all(worker: &Worker, watch: &mut Watch, creates: usize) -> f64 {
    let deadline = Instant::now() + Duration::from_secs(180);
    let mut most: f64 = 0.0;
    while watch.until(creates, Duration::from_millis(50)).await.is_err() {
        assert!(Instant::now() < deadline, "{} of {creates} creates were active", watch.count());
        most = most.max(worker.metric("vmacd_sessions_open").await);
    }
    most.max(worker.metric("vmacd_sessions_open").await)
}
