//! The program that is measured against an earlier one, alternating. Only where `VMACD_BENCH_BEFORE` names that one.

use super::latency::Lone;
use super::workers::Bound;
use super::{many, pipeline, workers};
use crate::options::Options;
use crate::report::stats::{median, percentile, spread};
use crate::report::table::Row;
use crate::world::World;
use crate::world::sims::Estate;
use crate::world::worker::Program;

const NAME: &str = "before";
const GOAL_LATENCY: f64 = 0.45;
const GOAL_CPU: f64 = 0.5;

/// A figure of the program now and before, once for each round.
#[derive(Default)]
struct Pair {
    now: Vec<f64>,
    before: Vec<f64>,
}

impl Pair {
    fn of(&mut self, program: &Program) -> &mut Vec<f64> {
        if program.name == "before" { &mut self.before } else { &mut self.now }
    }

    fn ratio(&self) -> f64 {
        median(&self.now) / median(&self.before)
    }

    fn text(&self, digits: usize, unit: &str) -> String {
        format!("{:.2} x: {} against {} {unit}", self.ratio(), spread(&self.now, digits), spread(&self.before, digits))
    }
}

pub async fn run(options: &Options) -> Vec<Row> {
    let before = Program::before().expect("VMACD_BENCH_BEFORE names the executable to compare with");
    let programs = [before, Program::measured()];
    let mut rows = lone(options, &programs).await;
    rows.push(cpu_for_each_create(options, &programs).await);
    rows.push(many_switches(options, &programs).await);
    rows.push(four_workers(options, &programs).await);
    rows
}

async fn lone(options: &Options, [before, now]: &[Program; 2]) -> Vec<Row> {
    let creates = options.of(50, 500, 1_000);
    let (mut before, mut now) = (Lone::start(before).await, Lone::start(now).await);
    for _ in 0..creates {
        before.one().await;
        now.one().await;
    }
    let conditions = format!(
        "{creates} creates one at a time, 10 switches, commit 0 s, sessions open; alternating, both programs run all the time"
    );
    let of = |what: &str, share: f64| {
        let [now, before] = [&now, &before].map(|lone| percentile(&lone.whole, share) - percentile(&lone.own, 0.5));
        let (ratio, what) = (now / before, format!("one create alone, {what} without the switch's own time / before"));
        let measured = format!("{ratio:.2} x: {now:.1} against {before:.1} ms");
        Row::goal(NAME, &what, measured, "<= 0.45 x", ratio <= GOAL_LATENCY, &conditions)
    };
    for lone in [&before, &now] {
        eprintln!("   slowest: {}", lone.slowest());
    }
    vec![of("median", 0.5), of("p99", 0.99)]
}

async fn cpu_for_each_create(options: &Options, programs: &[Program; 2]) -> Row {
    let creates = options.of(2_000, 10_000, 20_000);
    let mut sums = Pair::default();
    for _ in 0..options.of(1, 3, 5) {
        for program in programs {
            let world = World::start_with(program, pipeline::ESTATE).await;
            let whole = pipeline::publish_to_event(&world, &world.creates(0, creates)).await;
            let [worker, postgres, rabbitmq, ..] = whole.cpu_ms;
            eprintln!("   {}: worker {worker:.3}, Postgres {postgres:.3}, RabbitMQ {rabbitmq:.3} ms", program.name);
            sums.of(program).push(worker + postgres + rabbitmq);
        }
    }
    let conditions =
        format!("{creates} creates at once, 20 switches, commit 0 s; worker + Postgres + RabbitMQ; alternating");
    let what = "pipeline, CPU for each create / before";
    Row::goal(NAME, what, sums.text(3, "ms"), "<= 0.5 x", sums.ratio() <= GOAL_CPU, &conditions)
}

async fn many_switches(options: &Options, programs: &[Program; 2]) -> Row {
    let estate = Estate { switches: options.of(20, 100, 100), ports: 10, commit_time: "0s", sim_flags: "" };
    let creates = options.of(2_000, 10_000, 10_000);
    let mut rates = Pair::default();
    for _ in 0..options.of(1, 3, 5) {
        for program in programs {
            let world = World::start_with(program, estate).await;
            rates.of(program).push(many::one(&world, creates).await.0);
        }
    }
    let conditions = format!("{} switches, commit 0 s, {creates} creates at once; alternating", estate.switches);
    Row::context(NAME, "many switches, creates a second / before", rates.text(0, "a second"), &conditions)
}

async fn four_workers(options: &Options, programs: &[Program; 2]) -> Row {
    let bound = Bound::by_slots(options);
    let [mut one, mut four] = [Pair::default(), Pair::default()];
    for program in programs {
        for (count, pair) in [(1, &mut one), (4, &mut four)] {
            let world = World::start_with(program, bound.estate()).await;
            pair.of(program).push(workers::rate(world, bound, count).await.1);
        }
    }
    let ratio = |four: &[f64], one: &[f64]| median(four) / median(one);
    let (now, before) = (ratio(&four.now, &one.now), ratio(&four.before, &one.before));
    let measured = format!(
        "{now:.2} x: {} against {} ms; before {before:.2} x: {} against {} ms",
        spread(&four.now, 2),
        spread(&one.now, 2),
        spread(&four.before, 2),
        spread(&one.before, 2)
    );
    let conditions = workers::slots_conditions(options);
    let what = "CPU of 4 workers for each create / of 1";
    Row::goal(NAME, what, measured, "<= 1.15 x", now <= workers::GOAL_CPU, &conditions)
}
