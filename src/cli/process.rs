//! The process itself: its signals and its limits.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::fault::Fault;

/// Open files wanted: more than one for each of many thousand switches.
const FILES_MAX: u64 = 65_536;

/// A session to a switch is a file; many systems start a process with room for 1,024.
pub(super) fn raise_file_limit() {
    if let Err(error) = rlimit::increase_nofile_limit(FILES_MAX) {
        tracing::warn!(%error, "the limit of open files stays as it was");
    }
}

/// A token that the first SIGTERM, SIGINT or Ctrl-C cancels.
pub(super) fn on_signal() -> Result<CancellationToken, Fault> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let token = CancellationToken::new();
    let told = token.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        told.cancel();
    });
    Ok(token)
}
