//! Evidence after a push: one look at the switch's own table of bindings. It may be missing; it never makes a push fail.

use std::time::Duration;

use crate::domain::evidence::Tables;
use crate::domain::plan::EndState;
use crate::switch::{PushReport, SwitchClient};
use crate::worker::context::Context;

/// Longest time that results wait for evidence.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the switch's table shows, where the push bound anything and the settings ask for it.
pub(super) async fn gather(context: &Context, client: &mut SwitchClient, report: &mut PushReport) -> Tables {
    let bound = |result: &crate::switch::WishResult| {
        result.end.as_ref().is_ok_and(|reached| reached.end == EndState::Bound && reached.push.is_some())
    };
    if !context.settings.worker.evidence || !report.session_usable || !report.results.iter().any(bound) {
        return Tables::default();
    }
    match tokio::time::timeout(PATIENCE, client.bindings_in_force()).await {
        Ok(Ok(entries)) => Tables::of(entries),
        Ok(Err(error)) => {
            tracing::debug!(switch = client.name(), error = %error, "no evidence");
            report.session_usable = !error.breaks_session();
            Tables::default()
        }
        Err(_) => {
            tracing::debug!(switch = client.name(), "no evidence in time; the session is closed");
            report.session_usable = false;
            Tables::default()
        }
    }
}
