//! What a push's report means for rows, messages and the switch's circuit.

use std::sync::Arc;
use std::time::Duration;

use super::Pushed;
use super::journal::PushJournal;
use crate::domain::plan::EndState;
use crate::domain::{BindingState, Code, Failure, FailureClass};
use crate::store::{BindingEnd, BindingResult, Settled, StoreError};
use crate::switch::{Journal, PushReport, Stage, WishResult};
use crate::worker::chain;
use crate::worker::context::Context;

/// Writes the results, and says which messages have their outcome.
pub(super) async fn write(
    context: &Arc<Context>,
    journal: &mut PushJournal<'_>,
    report: PushReport,
) -> Result<Pushed, StoreError> {
    journal.trace.reported(report.whole.as_ref());
    note_circuit(context, journal, report.whole.as_ref()).await?;
    let mut results: Vec<BindingResult> = report.results.iter().map(|result| binding(journal, result)).collect();
    if let Some(failure) = &report.whole {
        results.extend(fail_the_rest(context, journal, &results, failure).await?);
    }
    let is_empty = results.is_empty() && report.whole.is_none();
    let settled = settle(context, journal, &results).await?;
    journal.reached(Stage::Settled);
    let failed = report.results.iter().filter_map(|result| {
        let failure = result.end.as_ref().err().filter(|failure| failure.class() != FailureClass::Permanent)?;
        Some((result.wish.vmac_id, failure.clone()))
    });
    let Settled { finished, due } = settled;
    Ok(Pushed { is_empty, finished, failed: failed.collect(), due, whole: report.whole })
}

fn binding(journal: &PushJournal<'_>, result: &WishResult) -> BindingResult {
    let wish = &result.wish;
    let end = match &result.end {
        Err(failure) => BindingEnd::Failed(failure.clone()),
        Ok(reached) => {
            let (state, mac) = match reached.end {
                EndState::Bound => (BindingState::Bound, wish.mac),
                EndState::Restored => (BindingState::Restored, wish.pxe_mac),
                EndState::Removed => (BindingState::Removed, wish.mac),
            };
            let (push_id, backup_id) = match &reached.push {
                Some((push_id, backup_id)) => (Some(push_id.clone()), *backup_id),
                None => (None, None),
            };
            let evidence = match state {
                BindingState::Bound => journal.rows.shown.showing(wish.ip, wish.mac, &wish.interface),
                _ => Vec::new(),
            };
            BindingEnd::Reached { state, mac, previous_mac: reached.previous_mac, backup_id, push_id, evidence }
        }
    };
    BindingResult {
        vmac_id: wish.vmac_id,
        generation: journal.rows.generations.get(&wish.vmac_id).copied().unwrap_or(0),
        interface: wish.interface.clone(),
        vlan: wish.vlan.clone(),
        end,
    }
}

/// Nothing could be done on this switch: everything that waits for it shares the failure, so that every row
/// says why it waits.
async fn fail_the_rest(
    context: &Context,
    journal: &mut PushJournal<'_>,
    known: &[BindingResult],
    failure: &Failure,
) -> Result<Vec<BindingResult>, StoreError> {
    let limit = i64::try_from(context.settings.worker.changes_per_commit_max).unwrap_or(i64::MAX);
    let mut results = Vec::new();
    for item in context.store.work(&journal.lease.switch, limit).await? {
        let done = known.iter().any(|result| result.vmac_id == item.vmac.id);
        results.extend(item.ports.iter().filter(|_| !done).map(|port| BindingResult {
            vmac_id: item.vmac.id,
            generation: item.vmac.generation,
            interface: port.interface.clone(),
            vlan: None,
            end: BindingEnd::Failed(failure.clone()),
        }));
    }
    Ok(results)
}

/// Writes the results, trying for as long as it takes: what was committed must not be forgotten.
async fn settle(
    context: &Context,
    journal: &PushJournal<'_>,
    results: &[BindingResult],
) -> Result<Settled, StoreError> {
    if results.is_empty() && journal.confirmed().is_empty() {
        return Ok(Settled::default());
    }
    let mut delay = Duration::from_millis(50);
    loop {
        match context.store.settle(journal.lease, journal.confirmed(), results).await {
            Err(error) if error.is_transient() => {
                tracing::warn!(switch = %journal.lease.switch, error = chain(&error), "results not written; trying again");
                if !context.pause(delay).await {
                    return Err(error);
                }
                delay = (delay * 2).min(Duration::from_secs(5));
            }
            settled => return settled,
        }
    }
}

/// Failures to reach the switch or to log in open its circuit; anything else shows that it answers.
async fn note_circuit(context: &Context, journal: &PushJournal<'_>, whole: Option<&Failure>) -> Result<(), StoreError> {
    let worker = &context.settings.worker;
    let switch = &journal.lease.switch;
    match whole {
        Some(failure) if matches!(failure.code, Code::Unreachable | Code::LoginRefused | Code::ConnectionLost) => {
            let open_ms = i64::try_from(worker.circuit_open_ms).unwrap_or(i64::MAX);
            // A refused login opens it at once: trying again is what locks accounts out.
            let failures_max = if failure.code == Code::LoginRefused { 1 } else { worker.circuit_failures_max };
            context.store.circuit_failed(switch, &failure.text, failures_max.into(), open_ms).await
        }
        // The switch was not asked.
        Some(failure) if matches!(failure.code, Code::UnknownSwitch | Code::WorkerTrouble | Code::DatabaseTrouble) => {
            Ok(())
        }
        _ => context.store.circuit_closed(switch).await,
    }
}
