//! Group commit: a thousand creates for one switch whose commits take two seconds.
//!
//! The least possible is one backup and two commits of 2 s, the commit confirmed and its confirmation: 4 s and what the
//! requests around them take, which one create on an idle system shows.

use std::time::Duration;

use crate::options::Options;
use crate::report::stats::{median, spread};
use crate::report::table::Row;
use crate::world::World;
use crate::world::flow::flow_with;
use crate::world::peers;
use crate::world::producer::Producer;
use crate::world::sims::Estate;
use crate::world::watch::Watch;

const NAME: &str = "group";
const ESTATE: Estate = Estate { switches: 1, ports: 10, commit_time: "2s", sim_flags: "" };
/// Two commits.
const LEAST_S: f64 = 4.0;
const GOAL_RATIO: f64 = 1.5;
const GOAL_HELD: f64 = 100.0;

/// One measurement on fresh switches.
struct Group {
    alone_s: f64,
    all_s: f64,
    /// Time locked, for each create.
    held_s: f64,
    pushes: f64,
}

pub async fn run(options: &Options) -> Vec<Row> {
    let creates = options.of(200, 1_000, 1_000);
    let mut groups = Vec::new();
    for _ in 0..options.of(1, 3, 3) {
        groups.push(group(creates).await);
    }
    let of = |figure: fn(&Group) -> f64| groups.iter().map(figure).collect::<Vec<_>>();
    let (all, alone, pushes) = (of(|g| g.all_s), of(|g| g.alone_s), of(|g| g.pushes));
    let ratio = median(&all) / LEAST_S;
    let (of_alone, conditions) =
        (median(&all) / median(&alone), format!("{creates} creates at once, 1 switch, commit 2 s"));
    let against_alone = format!("{of_alone:.2} x ({} s for one alone)", spread(&alone, 2));
    let took = format!("{ratio:.2} x: {} s against {LEAST_S:.1} s in {} pushes", spread(&all, 2), spread(&pushes, 0));
    let mut rows = vec![
        Row::goal(NAME, "last active event / two commits", took, "<= 1.5", ratio <= GOAL_RATIO, &conditions),
        Row::context(NAME, "the same / one create on an idle system", against_alone, &conditions),
    ];
    rows.push(held(options, median(&of(|g| g.held_s))).await);
    rows
}

async fn group(creates: usize) -> Group {
    let world = World::start(ESTATE).await;
    let worker = world.serve().await;
    let (mut watch, producer) = (Watch::start(&world).await, Producer::to(&world).await);
    let limit = Duration::from_secs(120);
    let alone = flow_with(&producer, &mut watch, &world.creates(0, 1), limit).await;
    let held = async || worker.metric("vmacd_push_seconds_sum").await;
    let pushes = async || worker.metric("vmacd_push_seconds_count").await;
    let before = (held().await, pushes().await);
    let all = flow_with(&producer, &mut watch, &world.creates(1, creates), limit).await;
    let group = Group {
        alone_s: alone.seconds,
        all_s: all.seconds,
        held_s: (held().await - before.0) / creates as f64,
        pushes: pushes().await - before.1,
    };
    eprintln!(
        "   alone {:.3} s, {creates} at once {:.3} s (published in {:.3} s), {} pushes",
        group.alone_s, group.all_s, all.publishing_s, group.pushes
    );
    group
}

async fn held(options: &Options, held_s: f64) -> Row {
    let creates = options.of(5, 20, 20);
    let peer = peers::run("celery_pyez_careful", ESTATE, creates, 300).await;
    let peer_held_s = peer.switch_seconds / peer.creates_done as f64;
    let ratio = peer_held_s / held_s;
    let measured = format!("{ratio:.0} x fewer: {:.1} ms against {peer_held_s:.2} s", held_s * 1000.0);
    let conditions =
        format!("as above; the careful peer with {creates} creates: with 1,000 it would take over an hour");
    Row::goal(
        NAME,
        "switch locked for each create, against the careful peer",
        measured,
        ">= 100 x fewer",
        ratio >= GOAL_HELD,
        &conditions,
    )
}
