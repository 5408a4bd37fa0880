//! Evidence after a push: one look at the switch's own table of bindings. It may be missing; it never makes a push fail.

use std::time::Duration;

use crate::domain::evidence::Tables;
use crate::domain::plan::{EndState, WishResult};
use crate::switch::{PushReport, SwitchClient};
use crate::worker::context::Context;

/// Longest time that results wait for evidence.
const PATIENCE: Duration = Duration::from_secs(10);

/// Notes in the results which of the switch's tables show the bindings, where the push bound anything and the settings ask
/// for it.
pub(super) async fn gather(context: &Context, client: &mut SwitchClient, report: &mut PushReport) {
    let tables = tables(context, client, report).await;
    for WishResult { wish, end } in &mut report.results {
        if let Ok(reached) = end
            && reached.end == EndState::Bound
        {
            reached.evidence = tables.showing(wish.ip, wish.mac, &wish.interface);
        }
    }
}

async fn tables(context: &Context, client: &mut SwitchClient, report: &mut PushReport) -> Tables {
    let bound = |result: &WishResult| {
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
