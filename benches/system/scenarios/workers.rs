//! More workers on one database: how much more gets done, and what bounds it.
//!
//! Two ways: where the switches' commits take their time and each worker may push to few of them at once, more workers
//! are more pushes at once. Where commits take no time, the machine's cores are the bound, which the workers share with
//! everything else here.

use std::time::Duration;

use crate::options::Options;
use crate::process::{cores, cpu_seconds};
use crate::report::table::Row;
use crate::world::World;
use crate::world::flow::flow;
use crate::world::sims::Estate;

const NAME: &str = "workers";
/// So many that 1, 2 and 4 times the slots of a worker go into them without a remainder.
const SWITCHES: usize = 96;
const WORKERS: [usize; 3] = [1, 2, 4];
const GOALS: [f64; 2] = [1.8, 3.0];
pub(super) const GOAL_CPU: f64 = 1.15;

/// What bounds a worker.
#[derive(Clone, Copy)]
pub(super) struct Bound {
    commit_time: &'static str,
    /// `worker.pushes_max` and `worker.changes_per_commit_max`, where they are not the defaults.
    limits: Option<(usize, usize)>,
    creates: usize,
}

impl Bound {
    /// How many switches a worker may push to at a time.
    pub(super) fn by_slots(options: &Options) -> Self {
        Self { commit_time: "1s", limits: Some((options.of(16, 8, 8), 10)), creates: SWITCHES * 20 }
    }

    pub(super) fn estate(&self) -> Estate {
        Estate { switches: SWITCHES, ports: 4, commit_time: self.commit_time, sim_flags: "" }
    }
}

pub async fn run(options: &Options) -> Vec<Row> {
    let by_cores = Bound { commit_time: "0s", limits: None, creates: options.of(2_000, 10_000, 10_000) };
    let (slots, cpu) = (rates(Bound::by_slots(options)).await, rates(by_cores).await);
    let conditions = slots_conditions(options);
    let mut rows = Vec::new();
    for (at, goal) in GOALS.into_iter().enumerate() {
        let ratio = slots[at + 1].0 / slots[0].0;
        let what = format!("{} workers / 1, commit 1 s", WORKERS[at + 1]);
        let measured = format!("{ratio:.2} x: {:.0} against {:.0} creates a second", slots[at + 1].0, slots[0].0);
        rows.push(Row::goal(NAME, &what, measured, &format!(">= {goal} x"), ratio >= goal, &conditions));
    }
    let ratio = slots[2].1 / slots[0].1;
    let what = "CPU for each create of 4 workers / of 1, commit 1 s";
    let measured = format!("{ratio:.2} x: {:.2} against {:.2} ms", slots[2].1, slots[0].1);
    rows.push(Row::goal(NAME, what, measured, "<= 1.15 x", ratio <= GOAL_CPU, &conditions));
    rows.push(bound_by_cores(&cpu, by_cores.creates));
    rows
}

pub(super) fn slots_conditions(options: &Options) -> String {
    format!(
        "{SWITCHES} switches, commit 1 s, {} creates; each worker {} pushes at a time of 10 changes: the push slots are the bound",
        SWITCHES * 20,
        options.of(16, 8, 8)
    )
}

fn bound_by_cores(rates: &[(f64, f64)], creates: usize) -> Row {
    let each =
        WORKERS.iter().zip(rates).map(|(workers, (rate, cpu_ms))| format!("{workers}: {rate:.0} ({cpu_ms:.2} ms)"));
    let measured = each.collect::<Vec<_>>().join(", ");
    let conditions = format!(
        "{SWITCHES} switches, commit 0 s, {creates} creates at once; {:.0} cores shared with RabbitMQ, Postgres and the switches \
         are the bound",
        cores()
    );
    Row::context(NAME, "creates a second (workers' CPU for each create), commit 0 s", measured, &conditions)
}

/// Creates a second and the workers' CPU milliseconds for each create, for each number of workers.
async fn rates(bound: Bound) -> Vec<(f64, f64)> {
    let mut rates = Vec::new();
    for workers in WORKERS {
        rates.push(rate(World::start(bound.estate()).await, bound, workers).await);
    }
    rates
}

/// Creates a second and the workers' CPU milliseconds for each create.
pub(super) async fn rate(mut world: World, bound: Bound, workers: usize) -> (f64, f64) {
    if let Some((pushes, changes)) = bound.limits {
        let settings = world.settings.clone().set("VMACD_WORKER_PUSHES_MAX", pushes);
        world.settings = settings.set("VMACD_WORKER_CHANGES_PER_COMMIT_MAX", changes);
    }
    let mut running = Vec::new();
    for _ in 0..workers {
        running.push(world.serve().await);
    }
    let flow = flow(&world, &world.creates(0, bound.creates), Duration::from_secs(180)).await;
    let cpu_s: f64 = running.iter().map(|worker| cpu_seconds(worker.pid())).sum();
    let cpu_ms = cpu_s * 1000.0 / flow.creates as f64;
    eprintln!(
        "   {workers} workers, commit {}: {:.1} creates a second, {cpu_ms:.2} ms of CPU each",
        bound.commit_time,
        flow.per_second()
    );
    (flow.per_second(), cpu_ms)
}
