//! One create at a time on an idle system: how long until its event, and how much of that is the switch's own time.

use std::time::Duration;

use crate::measure::fsync::Disk;
use crate::options::Options;
use crate::report::stats::percentile;
use crate::report::table::Row;
use crate::world::World;
use crate::world::baseline::Baseline;
use crate::world::flow::flow_with;
use crate::world::producer::Producer;
use crate::world::sims::Estate;
use crate::world::watch::Watch;
use crate::world::worker::{Program, Worker};

const NAME: &str = "latency";
const SWITCHES: usize = 10;
const GOAL_MS: f64 = 30.0;

/// Creates one at a time, and in turn with them what the switch alone takes.
pub(super) struct Lone {
    world: World,
    _worker: Worker,
    watch: Watch,
    producer: Producer,
    baseline: Baseline,
    /// Milliseconds from the publish to the event.
    pub whole: Vec<f64>,
    /// Milliseconds that the switch takes by itself.
    pub own: Vec<f64>,
    /// As `whole`, of the first at each switch, which open its session.
    cold: Vec<f64>,
}

impl Lone {
    /// Starts switches and a worker of that program, and opens the sessions.
    pub(super) async fn start(program: &Program) -> Self {
        let world =
            World::start_with(program, Estate { switches: SWITCHES, ports: 10, commit_time: "0s", sim_flags: "" })
                .await;
        let worker = world.serve().await;
        let (watch, producer) = (Watch::start(&world).await, Producer::to(&world).await);
        let baseline = Baseline::open(&world).await;
        let (whole, own, cold) = (Vec::new(), Vec::new(), Vec::new());
        let mut lone = Self { world, _worker: worker, watch, producer, baseline, whole, own, cold };
        for number in 0..SWITCHES {
            let took = lone.publish_to_event_ms(number).await;
            lone.cold.push(took);
        }
        lone
    }

    /// The next one.
    pub(super) async fn one(&mut self) {
        // Both at the same switch: of the numbers, so many in turn are for all switches once.
        let (lap, at) = (self.whole.len() / SWITCHES, self.whole.len() % SWITCHES);
        let number = SWITCHES * (1 + 2 * lap) + at;
        let took = self.publish_to_event_ms(number).await;
        self.whole.push(took);
        let [create] = &self.world.creates(number + SWITCHES, 1)[..] else { unreachable!("one was asked for") };
        self.own.push(self.baseline.push(create).await);
    }

    /// The ten slowest creates: their numbers and milliseconds, in words.
    pub(super) fn slowest(&self) -> String {
        let mut all: Vec<(usize, f64)> = self.whole.iter().copied().enumerate().collect();
        all.sort_by(|(_, one), (_, other)| other.total_cmp(one));
        all.iter().take(10).map(|(number, ms)| format!("{number}: {ms:.1} ms")).collect::<Vec<_>>().join(", ")
    }

    async fn publish_to_event_ms(&mut self, number: usize) -> f64 {
        let create = self.world.creates(number, 1);
        let limit = Duration::from_secs(30);
        flow_with(&self.producer, &mut self.watch, &create, limit).await.seconds * 1000.0
    }
}

pub async fn run(options: &Options) -> Vec<Row> {
    let creates = options.of(50, 200, 1_000);
    let mut lone = Lone::start(&Program::measured()).await;
    let (mut syncs, mut disk) = (Vec::new(), Disk::open());
    for _ in 0..creates {
        lone.one().await;
        syncs.push(disk.sync_ms());
    }
    let mut rows = rows(&lone.whole, &lone.own, &lone.cold);
    let syncs = format!("{:.1} / {:.1} ms", percentile(&syncs, 0.5), percentile(&syncs, 0.99));
    rows.push(Row::context(NAME, "one sync of the disk, p50 / p99", syncs, "4 KiB; alternating with the creates"));
    rows
}

fn rows(whole: &[f64], own: &[f64], cold: &[f64]) -> Vec<Row> {
    let both = |values: &[f64]| format!("{:.1} / {:.1} ms", percentile(values, 0.5), percentile(values, 0.99));
    let (p99, own_p50) = (percentile(whole, 0.99), percentile(own, 0.5));
    let conditions =
        format!("{} creates one at a time, {SWITCHES} switches, commit 0 s, sessions open; alternating", whole.len());
    let added = format!("{:.1} ms; at the median {:.1} ms", p99 - own_p50, percentile(whole, 0.5) - own_p50);
    vec![
        Row::goal(NAME, "p99 without the switch's own time", added, "<= 30 ms", p99 - own_p50 <= GOAL_MS, &conditions),
        Row::context(NAME, "publish to event, p50 / p99", both(whole), &conditions),
        Row::context(
            NAME,
            "the switch's own time, p50 / p99",
            both(own),
            "the same requests over an open session; the p50 is taken off above",
        ),
        Row::context(
            NAME,
            "publish to event with the session to open, p50 / p99",
            both(cold),
            &format!("{} creates", cold.len()),
        ),
    ]
}
