//! The whole system measured: `vmacd serve` as its users run it, with RabbitMQ, Postgres and simulated switches, each in
//! a process of its own, and the peers of `benches/peers` beside it.
//!
//! Started by `benches/run`, which brings the servers up. Each scenario prints its rows as it ends; together they are the
//! table of docs/BENCHMARKS.md.
#![allow(clippy::disallowed_methods, reason = "a test waits for what it starts")]
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "no part of the program")]

mod measure;
mod options;
mod process;
mod report;
mod scenarios;
#[path = "../../tests/it/support/mod.rs"]
mod support;
mod world;

use std::any::Any;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use options::Options;
use process::CpuTime;
use report::table::Row;

#[tokio::main]
async fn main() {
    let options = Options::from_arguments(scenarios::NAMES);
    let (mut rows, mut fsyncs) = (Vec::new(), Vec::new());
    for name in options.scenarios() {
        fsyncs.push(measure::fsync::per_second());
        eprintln!("== {name} (the disk: {:.0} syncs a second)", fsyncs[fsyncs.len() - 1]);
        let (began, before) = (std::time::Instant::now(), CpuTime::now());
        let measured = run(name, &options).await;
        for row in measured.into_iter().chain([stolen(name, &before)]) {
            eprintln!("{row}");
            rows.push(row);
        }
        eprintln!("   ({name}: {:.0} s)", began.elapsed().as_secs_f64());
    }
    print!("{}", report::table::markdown(&rows));
    if options.write {
        report::document::write(&rows, &fsyncs);
    }
    if rows.iter().any(Row::is_broken) {
        std::process::exit(1);
    }
}

/// Runs one scenario; one that cannot be measured is a row that says so, and does not stop the others.
async fn run(name: &'static str, options: &Options) -> Vec<Row> {
    let running = AssertUnwindSafe(scenarios::run(name, options)).catch_unwind();
    running.await.unwrap_or_else(|panic| vec![Row::broken(name, &reason(&*panic))])
}

/// What others on the same hardware took meanwhile: the more, the less the absolute figures say.
fn stolen(name: &'static str, before: &CpuTime) -> Row {
    let share = CpuTime::now().stolen_since(before);
    let what = "CPU that the hypervisor gave to others meanwhile";
    Row::context(name, what, format!("{:.0} %", share * 100.0), "of the time of all cores")
}

fn reason(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("it panicked").to_owned()
}
