//! The process itself: its signals.

use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::cli::fault::Fault;

/// A token that the first SIGTERM, SIGINT or Ctrl-C cancels.
pub fn shutdown_token() -> Result<CancellationToken, Fault> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let token = CancellationToken::new();
    let cancelled = token.clone();
    #[expect(clippy::disallowed_methods, reason = "it waits for a signal before there is anything to supervise")]
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        cancelled.cancel();
    });
    Ok(token)
}

/// The signal that ended the program.
#[derive(Debug, Clone, Copy)]
pub struct Signal(SignalKind);

impl Signal {
    /// As shells have it: 128 plus the signal's number.
    pub fn exit_code(self) -> ExitCode {
        ExitCode::from(u8::try_from(128 + self.0.as_raw_value()).unwrap_or(2))
    }
}

/// Waits for Ctrl-C or SIGTERM; for ever where signals cannot be had. Not for the end of the terminal: `nohup` has that
/// ignored, and a handler would undo it.
pub async fn interrupted() -> Signal {
    let wait = |kind| async move {
        let Ok(mut stream) = signal(kind) else { return std::future::pending().await };
        stream.recv().await;
        Signal(kind)
    };
    tokio::select! {
        signal = wait(SignalKind::interrupt()) => signal,
        signal = wait(SignalKind::terminate()) => signal,
    }
}
