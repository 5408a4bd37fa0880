//! `vmacd demo`: the whole product in one process, shown step by step.
//!
//! Simulated switches on real ports, SQLite in a temporary folder, the embedded queue, the real worker.
//! `stage` builds it, `tour` walks through it.

mod stage;
mod tour;

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::cli::args::DemoArgs;
use crate::cli::fault::Fault;
use crate::cli::process::file_limits::raise_file_limit;
use crate::cli::process::signals::shutdown_token;
use crate::cli::terminal::streams::reader_is_gone;

/// Time between two checks whether the reader is still there.
const READER_POLL: Duration = Duration::from_millis(500);

/// Builds the stage, runs the tour, and stays up unless `--exit` is given.
pub async fn run(args: DemoArgs) -> Result<(), Fault> {
    let interrupted = shutdown_token()?;
    raise_file_limit();
    let stage = stage::Stage::build().await?;
    let toured = tokio::select! {
        toured = tour::run(&stage) => toured,
        () = interrupted.cancelled() => Ok(()),
    };
    let stays = toured.is_ok() && !args.exit && !interrupted.is_cancelled();
    let ended = if stays { stay_up(&stage, &interrupted).await } else { toured };
    stage.shut_down().await;
    // A reader that went away (`| head`) is no fault.
    ended.or_else(|fault| if fault.reader_is_gone() { Ok(()) } else { Err(fault) })
}

/// Until SIGTERM or Ctrl-C, or until the reader of stdout has gone away.
async fn stay_up(stage: &stage::Stage, interrupted: &CancellationToken) -> Result<(), Fault> {
    tour::print_next_steps(stage)?;
    while !reader_is_gone() {
        tokio::select! {
            () = interrupted.cancelled() => break,
            () = tokio::time::sleep(READER_POLL) => {}
        }
    }
    Ok(())
}
