//! `vmacd demo`: the whole product in one process, shown step by step.
//!
//! Simulated switches on real ports, SQLite in a temporary folder, the embedded queue, the real worker.
//! `stage` builds it, `tour` walks through it.

mod stage;
mod tour;

use super::args::DemoArgs;
use super::descriptors::raise_file_limit;
use super::fault::Fault;
use super::process::on_signal;

/// Builds the stage, gives the tour, and stays up unless told to end there.
pub(super) async fn run(args: DemoArgs) -> Result<(), Fault> {
    let interrupted = on_signal()?;
    raise_file_limit();
    let stage = stage::Stage::build().await?;
    let toured = tokio::select! {
        toured = tour::give(&stage) => toured,
        () = interrupted.cancelled() => Ok(()),
    };
    if toured.is_ok() && !args.exit && !interrupted.is_cancelled() {
        tour::invite(&stage);
        interrupted.cancelled().await;
    }
    stage.strike().await;
    toured
}
