//! One create at a time on an idle system: how long until its event, and how much of that is the switch's own time.

use std::time::Duration;

use sqlx::Connection;

use crate::baseline::Baseline;
use crate::flow::flow_with;
use crate::fsync::Disk;
use crate::options::Options;
use crate::producer::Producer;
use crate::sims::Estate;
use crate::stats::percentile;
use crate::table::Row;
use crate::watch::Watch;
use crate::world::World;

const NAME: &str = "latency";
const SWITCHES: usize = 10;
const GOAL_MS: f64 = 30.0;

pub async fn run(options: &Options) -> Vec<Row> {
    let creates = options.of(50, 200, 1_000);
    let world = World::start(Estate { switches: SWITCHES, ports: 10, commit_time: "0s" }).await;
    let _worker = world.serve().await;
    let (mut watch, producer) = (Watch::start(&world).await, Producer::to(&world).await);
    let mut baseline = Baseline::open(&world).await;
    let limit = Duration::from_secs(30);
    // The first to each switch opens its session.
    let mut cold = Vec::new();
    for create in world.creates(0, SWITCHES) {
        cold.push(flow_with(&producer, &mut watch, &[create], limit).await.seconds * 1000.0);
    }
    let (mut whole, mut own, mut syncs, mut disk) = (Vec::new(), Vec::new(), Vec::new(), Disk::open());
    let before = Commits::of(&world).await;
    for (ours, theirs) in world.creates(SWITCHES, creates).iter().zip(world.creates(SWITCHES + creates, creates)) {
        whole.push(flow_with(&producer, &mut watch, std::slice::from_ref(ours), limit).await.seconds * 1000.0);
        own.push(baseline.push(&theirs).await);
        syncs.push(disk.sync_ms());
    }
    let commits = Commits::of(&world).await.since(&before, creates);
    let mut rows = rows(&whole, &own, &cold);
    rows.push(Row::context(NAME, "Postgres for each create", commits, "the database's and the server's own counts"));
    let syncs = format!("{:.1} / {:.1} ms", percentile(&syncs, 0.5), percentile(&syncs, 0.99));
    rows.push(Row::context(NAME, "one sync of the disk, p50 / p99", syncs, "4 KiB; alternating with the creates"));
    rows
}

/// What Postgres has counted.
struct Commits {
    transactions: f64,
    syncs: f64,
}

impl Commits {
    async fn of(world: &World) -> Self {
        // Postgres' backends report what they count once a second.
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        let mut connection = world.database.connect().await;
        let sql = "SELECT xact_commit::float8, (SELECT wal_sync::float8 FROM pg_stat_wal)
                   FROM pg_stat_database WHERE datname = current_database()";
        let (transactions, syncs) = sqlx::query_as(sql).fetch_one(&mut connection).await.expect("counts");
        let _ = connection.close().await;
        Self { transactions, syncs }
    }

    fn since(&self, before: &Self, creates: usize) -> String {
        let each = |now: f64, before: f64| (now - before) / creates as f64;
        let (transactions, syncs) = (each(self.transactions, before.transactions), each(self.syncs, before.syncs));
        format!("{transactions:.1} transactions, {syncs:.1} syncs of its log")
    }
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
