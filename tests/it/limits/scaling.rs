//! What an order costs at three sizes, a straight line fitted to them, and a fourth, twice the third, held against it.
//!
//! `docs/SCALING.md` has the figures of a long run: `tests/run --long --no-capture twice_the_load`.

use std::fs;
use std::time::{Duration, Instant};

use sqlx::{PgConnection, Row};
use vmacd::sim::Options;

use crate::scenario::world::World;
use crate::support::postgres::{Postgres, fresh_database_on};
use crate::support::vmacd::{Settings, run};
use crate::support::{Rabbit, eventually_within, is_long, patience, size};

/// Creates for each switch.
const ADDRESSES: u32 = 10;
/// Clock ticks of `/proc/PID/stat` in a second; Linux has no other.
const TICKS: f64 = 100.0;
/// How far what is counted may be from the line.
const OFF_MAX: f64 = 0.25;

const NAMES: [&str; 7] =
    ["seconds", "worker CPU s", "Postgres CPU s", "log MB", "tables MB", "transactions", "peak MB"];
/// Those that do not depend on who else uses the machine.
const COUNTED: [usize; 3] = [3, 4, 5];

/// What one run took, in the order of [`NAMES`].
#[derive(Debug, Clone, Copy)]
struct Cost {
    switches: f64,
    costs: [f64; NAMES.len()],
}

fn fields(pid: u32) -> Vec<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().unwrap_or_default().split_whitespace().map(|field| field.parse().unwrap_or(0.0)).collect()
}

/// User and kernel time of a process and of the children that have ended, seconds.
fn cpu_s(pid: u32) -> f64 {
    fields(pid).iter().skip(11).take(4).sum::<f64>() / TICKS
}

fn parent(pid: u32) -> u32 {
    fields(pid).get(1).map_or(0, |parent| *parent as u32)
}

/// The same of the postmaster and all its children.
fn postgres_cpu_s(postmaster: u32) -> f64 {
    let all = fs::read_dir("/proc").expect("/proc").filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    all.filter(|pid| parent(*pid) == postmaster).map(cpu_s).sum::<f64>() + cpu_s(postmaster)
}

async fn figure(connection: &mut PgConnection, sql: &'static str) -> f64 {
    sqlx::query(sql).fetch_one(connection).await.expect(sql).get(0)
}

/// Log, tables and transactions so far.
async fn figures(connection: &mut PgConnection) -> [f64; 3] {
    const SQL: [&str; 3] = [
        "SELECT CAST(wal_bytes / 1e6 AS DOUBLE PRECISION) FROM pg_stat_wal",
        "SELECT CAST(pg_database_size(current_database()) AS DOUBLE PRECISION) / 1e6",
        "SELECT CAST(xact_commit AS DOUBLE PRECISION) FROM pg_stat_database WHERE datname = current_database()",
    ];
    let mut found = [0.0; 3];
    for (value, sql) in found.iter_mut().zip(SQL) {
        *value = figure(connection, sql).await;
    }
    found
}

/// So many switches, and ten creates for each of them, all at once.
async fn measure(switches: usize) -> Cost {
    let postgres = Postgres::private();
    let database = fresh_database_on(postgres.url()).await;
    run(&["migrate"], &Settings::new().set("VMACD_DATABASE_URL", database.url())).await.ok();
    let options = Options { switches, ports_per_switch: 1, ..Options::default() };
    let world = World::real_in(&Rabbit::shared(), database, env!("CARGO_BIN_EXE_vmacd"), options).await;
    let mut connection = world.database().connect().await;
    let backend: i32 =
        sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut connection).await.expect("a number");
    let postmaster = parent(backend.unsigned_abs());

    let mut worker = world.serve().await;
    let before = (figures(&mut connection).await, cpu_s(worker.pid()), postgres_cpu_s(postmaster), Instant::now());
    world.publish_creates((0..switches).flat_map(|server| (1..=ADDRESSES).map(move |number| (server, number)))).await;
    let orders = switches as f64 * f64::from(ADDRESSES);
    let long = patience() + Duration::from_millis(20) * orders as u32;
    eventually_within(long, "all are active", async || {
        let sql = "SELECT CAST(COUNT(*) AS DOUBLE PRECISION) FROM virtual_macs WHERE status = 'active'";
        let active = figure(&mut world.database().connect().await, sql).await;
        if active >= orders { Ok(()) } else { Err(active) }
    })
    .await;
    let seconds = before.3.elapsed().as_secs_f64();
    let (worker_cpu, peak) = (cpu_s(worker.pid()) - before.1, worker.peak_memory_mb() as f64);
    // Backends report what they did when they end.
    worker.sigterm();
    worker.wait().await;
    let after = figures(&mut connection).await;
    let postgres_cpu = postgres_cpu_s(postmaster) - before.2;
    let [log, tables, transactions] = std::array::from_fn(|at| after[at] - before.0[at]);
    Cost { switches: switches as f64, costs: [seconds, worker_cpu, postgres_cpu, log, tables, transactions, peak] }
}

/// The line through the measured points (least squares) at another size.
fn predicted(measured: &[Cost], at: usize, switches: f64) -> f64 {
    let count = measured.len() as f64;
    let mean_x = measured.iter().map(|cost| cost.switches).sum::<f64>() / count;
    let mean_y = measured.iter().map(|cost| cost.costs[at]).sum::<f64>() / count;
    let spread = measured.iter().map(|cost| (cost.switches - mean_x).powi(2)).sum::<f64>();
    let slope = measured.iter().map(|cost| (cost.switches - mean_x) * (cost.costs[at] - mean_y)).sum::<f64>() / spread;
    mean_y + slope * (switches - mean_x)
}

#[test]
fn the_line_goes_through_points_that_are_on_one() {
    let at = |switches: f64| Cost { switches, costs: [3.0 + 2.0 * switches; NAMES.len()] };
    assert!((predicted(&[at(1.0), at(2.0), at(4.0)], 0, 8.0) - 19.0).abs() < 1e-9);
}

#[tokio::test(flavor = "multi_thread")]
async fn twice_the_load_costs_what_the_line_through_smaller_ones_says_on_private_servers() {
    let largest: usize = size("VMACD_TEST_SCALING", 40, 1_000);
    let mut measured = Vec::new();
    for switches in [largest / 4, largest / 2, largest] {
        measured.push(measure(switches).await);
    }
    let twice = measure(2 * largest).await;
    for cost in measured.iter().chain([&twice]) {
        eprintln!(
            "{} switches, {} creates: {:.1?} {NAMES:?}",
            cost.switches,
            cost.switches * f64::from(ADDRESSES),
            cost.costs
        );
    }
    for (at, name) in NAMES.iter().enumerate() {
        let (line, found) = (predicted(&measured, at, twice.switches), twice.costs[at]);
        eprintln!("{name}: predicted {line:.1}, measured {found:.1}, {:.2} x", found / line);
        let is_near = (found / line - 1.0).abs() <= OFF_MAX;
        assert!(is_near || !(COUNTED.contains(&at) && is_long()), "{name}: predicted {line:.1}, measured {found:.1}");
    }
}

/// What looking after switches costs that have nothing to do: a login and one request for each, again and again.
#[tokio::test(flavor = "multi_thread")]
async fn a_look_at_a_switch_with_nothing_to_do_costs_what_the_page_on_scaling_says() {
    let switches = size("VMACD_TEST_SCALING_IDLE", 10, 200);
    let mut world = World::real_with(Options { switches, ports_per_switch: 1, ..Options::default() }).await;
    world.settings =
        world.settings.clone().set("VMACD_DRIFT_INTERVAL_MS", 3_600_000).set("VMACD_DRIFT_HISTORY_INTERVAL_MS", 10_000);
    let worker = world.serve().await;
    // Each look asks once for the commit history.
    let looks = || -> f64 {
        let counts = world.switches().iter().map(|switch| switch.rpc_counts());
        counts.filter_map(|counts| counts.get("get-commit-information").copied()).sum::<u64>() as f64
    };
    let wanted = switches as f64;
    let reach = async |count: f64| {
        eventually_within(patience() * 2, "switches are looked at", async || {
            let done = looks();
            if done >= count { Ok(done) } else { Err(done) }
        })
        .await
    };
    // The first look at each reads everything.
    let first = reach(wanted).await;
    let (cpu, since) = (cpu_s(worker.pid()), Instant::now());
    let done = reach(first + wanted).await - first;
    let (cpu, seconds) = (cpu_s(worker.pid()) - cpu, since.elapsed().as_secs_f64());
    eprintln!("{done} looks in {seconds:.1} s: {:.1} ms of the worker's CPU each", 1000.0 * cpu / done);
}
