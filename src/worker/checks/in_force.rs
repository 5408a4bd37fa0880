//! Whether bindings are in force: asked after pushes, once nothing more is due on the switch and its lease is given back, and
//! with each drift check. It locks nothing, and what it cannot find out fails nothing.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use crate::domain::in_force::{AskedBinding, InForceCode, InForceState, InForceVerdict};
use crate::domain::{BindingState, Desired, SwitchName, chain};
use crate::store::{InForceNews, ShownInForce, StoreError, Vmac};
use crate::switch::{InForceReport, SwitchClient, SwitchError};
use crate::worker::context::Context;
use crate::worker::switches::session::SwitchSession;

/// Longest time for asking after pushes.
const PATIENCE: Duration = Duration::from_secs(60);
/// A switch takes a moment to have in its tables what was just committed.
const SETTLING: Duration = Duration::from_secs(2);

/// A binding of a row on the switch that is asked.
pub(in crate::worker) struct BoundRow {
    vmac_id: i64,
    binding: AskedBinding,
}

/// Where these rows are bound on the switch according to the database.
pub(in crate::worker) fn bound_on<'a>(switch: &'a SwitchName, vmacs: impl Iterator<Item = &'a Vmac>) -> Vec<BoundRow> {
    let live = vmacs.filter(|vmac| vmac.desired == Desired::Bound);
    let asked = live.flat_map(|vmac| {
        let bound = vmac.switch_bindings.iter().filter(|port| !port.leaving && port.state == BindingState::Bound);
        let has_other_ports = bound.clone().count() > 1;
        let here = bound.filter(move |port| port.switch == *switch);
        here.map(move |port| BoundRow {
            vmac_id: vmac.id,
            binding: AskedBinding {
                ip: vmac.ip_address,
                mac: port.mac,
                interface: port.interface.clone(),
                vlan: port.vlan.clone().or(vmac.vlan_name.clone()),
                has_other_ports,
            },
        })
    });
    asked.collect()
}

/// Asks the switch, and returns what it showed.
pub(in crate::worker) async fn ask(
    client: &mut SwitchClient,
    asked: &[BoundRow],
) -> Result<Vec<ShownInForce>, SwitchError> {
    let bindings: Vec<AskedBinding> = asked.iter().map(|asked| asked.binding.clone()).collect();
    let found = client.in_force(&bindings).await?;
    let shown = |(asked, InForceReport { verdict, tables }): (&BoundRow, InForceReport)| {
        let interface = asked.binding.interface.clone();
        ShownInForce { vmac_id: asked.vmac_id, interface, verdict, tables }
    };
    Ok(asked.iter().zip(found).map(shown).collect())
}

/// After pushes on this session that bound something. It ends at once when the worker stops: the next check of the switch
/// finds out what this one did not. Where the next push waits for the session it comes first.
pub(in crate::worker) async fn after_pushes(context: &Arc<Context>, session: &mut SwitchSession, switch: &SwitchName) {
    if session.unasked.is_empty() || context.idle_sessions.is_wanted(switch) {
        return;
    }
    let rows = std::mem::take(&mut session.unasked);
    if !context.settings.worker.evidence {
        return;
    }
    let checked = tokio::select! {
        checked = tokio::time::timeout(PATIENCE, check(context, session, switch, rows)) => checked,
        () = context.stopping.cancelled() => return session.abandon(),
    };
    match checked {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%switch, error, "could not ask whether the new bindings are in force"),
        Err(_) => {
            tracing::warn!(%switch, "the switch took too long to tell whether the new bindings are in force");
            session.abandon();
        }
    }
}

async fn check(
    context: &Context,
    session: &mut SwitchSession,
    switch: &SwitchName,
    rows: BTreeSet<i64>,
) -> Result<(), String> {
    let Some(client) = session.client() else { return Ok(()) };
    let told = |error: StoreError| chain(&error);
    let vmacs = context.store.vmacs().list(&rows.into_iter().collect::<Vec<_>>()).await.map_err(told)?;
    let asked = bound_on(switch, vmacs.iter());
    let shown = match patiently(context, client, switch, &asked).await {
        Ok(shown) => shown,
        Err(error) => {
            if error.breaks_session() {
                session.abandon();
            }
            return Err(error.to_string());
        }
    };
    let as_of: HashMap<_, _> = vmacs.iter().map(|vmac| (vmac.id, vmac.updated_at)).collect();
    let news = context.store.checks().record_in_force(switch, &shown, &as_of, false).await.map_err(told)?;
    report(context, switch, &news);
    Ok(())
}

/// Asks once more where a table does not show yet what was just bound.
async fn patiently(
    context: &Context,
    client: &mut SwitchClient,
    switch: &SwitchName,
    asked: &[BoundRow],
) -> Result<Vec<ShownInForce>, SwitchError> {
    let shown = ask(client, asked).await?;
    let is_missing = |shown: &ShownInForce| matches!(&shown.verdict, InForceVerdict::No(reason) if reason.code == InForceCode::NotInTable);
    if !shown.iter().any(is_missing) || context.idle_sessions.is_wanted(switch) {
        return Ok(shown);
    }
    tokio::time::sleep(SETTLING).await;
    ask(client, asked).await
}

/// Logs what is new, and has its events published.
pub(in crate::worker) fn report(context: &Context, switch: &SwitchName, news: &[InForceNews]) {
    for InForceNews { vmac_id, now } in news {
        let text = now.reason.as_ref().map_or("", |reason| reason.text.as_str());
        match now.state {
            InForceState::Yes => tracing::info!(%switch, vmac_id, "in force"),
            InForceState::No => tracing::warn!(%switch, vmac_id, "not in force: {text}"),
            InForceState::Unknown => tracing::warn!(%switch, vmac_id, "unknown whether it is in force: {text}"),
        }
    }
    if !news.is_empty() {
        context.wrote_events();
    }
}
