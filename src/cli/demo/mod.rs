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
use crate::cli::process::signals::on_signal;
use crate::cli::terminal::streams::is_unread;

/// Time between two looks whether somebody reads.
const READER_LOOK: Duration = Duration::from_millis(500);

/// Builds the stage, gives the tour, and stays up unless told to end there.
pub async fn run(args: DemoArgs) -> Result<(), Fault> {
    let interrupted = on_signal()?;
    raise_file_limit();
    let stage = stage::Stage::build().await?;
    let toured = tokio::select! {
        toured = tour::give(&stage) => toured,
        () = interrupted.cancelled() => Ok(()),
    };
    let stays = toured.is_ok() && !args.exit && !interrupted.is_cancelled();
    let ended = if stays { stay_up(&stage, &interrupted).await } else { toured };
    stage.strike().await;
    // That the reader went away (`| head`) is no fault.
    ended.or_else(|fault| if fault.is_unread() { Ok(()) } else { Err(fault) })
}

/// Until a signal says stop, or nobody reads any more.
async fn stay_up(stage: &stage::Stage, interrupted: &CancellationToken) -> Result<(), Fault> {
    tour::invite(stage)?;
    while !is_unread() {
        tokio::select! {
            () = interrupted.cancelled() => break,
            () = tokio::time::sleep(READER_LOOK) => {}
        }
    }
    Ok(())
}
