//! A hundred switches whose commits take no time: creates a second, against the careful peer.

use std::time::Duration;

use crate::measure::cpu::{self, Cpu};
use crate::options::Options;
use crate::report::stats::{median, spread};
use crate::report::table::Row;
use crate::world::World;
use crate::world::flow::flow;
use crate::world::peers;
use crate::world::sims::Estate;

const NAME: &str = "many";
const GOAL: f64 = 50.0;

pub async fn run(options: &Options) -> Vec<Row> {
    let estate = Estate { switches: options.of(20, 100, 100), ports: 10, commit_time: "0s", sim_flags: "" };
    let (creates, peer_creates) = (options.of(2_000, 10_000, 10_000), options.of(100, 1_000, 1_000));
    let (mut ours, mut theirs, mut cpu_ms) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..options.of(1, 3, 3) {
        let (rate, cpu) = one(&World::start(estate).await, creates).await;
        ours.push(rate);
        cpu_ms.push(cpu);
        theirs.push(peers::run("celery_pyez_careful", estate, peer_creates, 300).await.per_second());
    }
    let ratio = median(&ours) / median(&theirs);
    let measured = format!("{ratio:.0} x: {} against {} a second", spread(&ours, 0), spread(&theirs, 1));
    let conditions = format!(
        "{} switches, commit 0 s; {creates} creates, the careful peer {peer_creates}; alternating",
        estate.switches
    );
    vec![
        Row::goal(NAME, "creates a second, against the careful peer", measured, ">= 50 x", ratio >= GOAL, &conditions),
        Row::context(NAME, "CPU for each create", cpu::each(&cpu_ms), &conditions),
    ]
}

/// Creates a second, and [`Cpu::per_create_ms`].
pub(super) async fn one(world: &World, creates: usize) -> (f64, [f64; 5]) {
    let worker = world.serve().await;
    let before = Cpu::now(world, Some(&worker));
    let flow = flow(world, &world.creates(0, creates), Duration::from_secs(300)).await;
    let cpu = Cpu::now(world, Some(&worker)).since(&before);
    eprintln!("   {creates} creates: {:.2} s, {:.0} a second; CPU seconds: {cpu:?}", flow.seconds, flow.per_second());
    (flow.per_second(), cpu.per_create_ms(creates))
}
