//! What a push came to, written in one transaction: bindings, status, outcomes of commands, events.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use serde_json::json;

use super::commands::{Closing, CommandOutcome, OpenCommand, Outcome, close, lock_vmacs, open_commands_of};
use super::connect::Store;
use super::engine::{Tx, args};
use super::error::StoreError;
use super::event_body::{EventOf, EventRow, event_row};
use super::leases::{HELD, Lease};
use super::outbox::write_events;
use super::pushes::pushes_confirmed;
use super::vmacs::{UPDATE_VMACS, Vmac};
use super::work::{Waits, queue_work};
use crate::domain::evidence::{EvidenceTable, renewed};
use crate::domain::{
    BindingState, Desired, Failure, FailureClass, InterfaceName, Mac, MessageKey, Status, SwitchBinding, SwitchName,
    VlanName, derive_status,
};

/// Transactions that stood in each other's way are run again so often.
const CLASHES_MAX: u32 = 5;

/// The result of a push for one port of one row.
#[derive(Debug, Clone)]
pub struct BindingResult {
    /// The row.
    pub vmac_id: i64,
    /// The row's generation that the push was planned for.
    pub generation: i64,
    /// The port, in the form the switch uses.
    pub interface: InterfaceName,
    /// The VLAN, once known.
    pub vlan: Option<VlanName>,
    /// How it ended.
    pub end: BindingEnd,
}

/// How a push ended for one port.
#[derive(Debug, Clone)]
pub enum BindingEnd {
    /// The switch holds what was wanted, read back from it.
    Reached {
        /// Bound, restored or removed.
        state: BindingState,
        /// The MAC that is bound to the address now, where it is ours or the server's.
        mac: Mac,
        /// The MAC that was bound before.
        previous_mac: Option<Mac>,
        /// The backup taken before the change.
        backup_id: Option<i64>,
        /// The push; none where nothing had to be changed.
        push_id: Option<String>,
        /// The tables of the switch that showed the binding after the push.
        evidence: Vec<EvidenceTable>,
    },
    /// It did not reach the switch; for good where the failure's class says so.
    Failed(Failure),
}

/// What the settlement came to.
#[derive(Debug, Clone, Default)]
pub struct Settled {
    /// Commands that have an outcome now.
    pub finished: Vec<(MessageKey, CommandOutcome)>,
    /// Other switches whose turn it is now.
    pub due: Vec<SwitchName>,
}

impl Store {
    /// Writes the results of pushes, and that the ones with these ids were confirmed, if the lease is still held.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`], and then nothing was written; or when the database fails.
    pub async fn settle(
        &self,
        lease: &Lease,
        confirmed: &[String],
        results: &[BindingResult],
    ) -> Result<Settled, StoreError> {
        let mut clashes = 0;
        loop {
            match self.settle_once(lease, confirmed, results).await {
                Err(error) if error.is_clash() && clashes < CLASHES_MAX => clashes += 1,
                result => return result,
            }
        }
    }

    async fn settle_once(
        &self,
        lease: &Lease,
        confirmed: &[String],
        results: &[BindingResult],
    ) -> Result<Settled, StoreError> {
        let now = self.now().await?;
        let mut tx = self.engine.begin("settle a push").await?;
        hold_lease(&mut tx, lease).await?;
        pushes_confirmed(&mut tx, lease, confirmed, now).await?;
        let mut of_row: BTreeMap<i64, Vec<&BindingResult>> = BTreeMap::new();
        results.iter().for_each(|result| of_row.entry(result.vmac_id).or_default().push(result));
        let vmacs = lock_vmacs(&mut tx, of_row.keys().map(|id| json!({"id": id})).collect()).await?;
        let changes: Vec<Change> = of_row
            .into_iter()
            .filter_map(|(id, results)| Some(change(vmacs.get(&id)?.clone(), &results, lease, now)))
            .collect();
        let rows: Vec<&Vmac> = changes.iter().map(|change| &change.vmac).collect();
        tx.batch("change rows", UPDATE_VMACS, rows, args![now]).await?;
        drop_work(&mut tx, &changes, lease).await?;
        let due = queue_due(&mut tx, &changes, lease, now).await?;
        let settled = Settled { due, ..finish(&mut tx, &changes, now).await? };
        tx.commit("settle a push").await?;
        Ok(settled)
    }
}

/// Locks the lease's row, so that nobody takes the lease before these results are written.
async fn hold_lease(tx: &mut Tx, lease: &Lease) -> Result<(), StoreError> {
    let sql = format!("SELECT token FROM switch_leases WHERE {HELD} {{for_update}}");
    let held = tx.run("check the lease", &sql, lease.args(Vec::new())).await?;
    if held.is_empty() { Err(lease.lost()) } else { Ok(()) }
}

/// A row after the results were put into it.
struct Change {
    vmac: Vmac,
    /// The row's intent is settled, one way or the other.
    ended: Option<Outcome>,
    failure: Option<Failure>,
    /// Nothing is left to do on this switch.
    done_here: bool,
}

/// Puts the results for one row into it. Pure.
fn change(mut vmac: Vmac, results: &[&BindingResult], lease: &Lease, now: DateTime<Utc>) -> Change {
    let current = results.iter().all(|result| result.generation == vmac.generation);
    let mut failure = None;
    for result in results {
        let same = |binding: &&mut SwitchBinding| binding.is_at(&lease.switch, &result.interface);
        let Some(binding) = vmac.switch_bindings.iter_mut().find(same) else { continue };
        match &result.end {
            BindingEnd::Reached { .. } => reach(binding, result, now),
            BindingEnd::Failed(why) => {
                failure = Some(why.clone());
                binding.error = Some(why.text.clone());
                binding.at = now;
                if current && why.class() == FailureClass::Permanent {
                    binding.state = BindingState::Failed;
                }
            }
        }
        vmac.vlan_name = vmac.vlan_name.take().or_else(|| result.vlan.clone());
    }
    if !current {
        // The intent changed during the push: what the switch holds now must be looked at again.
        reopen(&mut vmac, lease);
    }
    conclude(vmac, failure, lease, current)
}

fn reach(binding: &mut SwitchBinding, result: &BindingResult, now: DateTime<Utc>) {
    let BindingEnd::Reached { state, mac, previous_mac, backup_id, push_id, evidence } = &result.end else { return };
    binding.interface = result.interface.clone();
    binding.vlan = result.vlan.clone().or(binding.vlan.take());
    binding.state = *state;
    binding.mac = *mac;
    binding.error = None;
    binding.at = now;
    // What was shown of another state proves nothing of this one.
    let known = if push_id.is_none() && *state == BindingState::Bound {
        std::mem::take(&mut binding.evidence)
    } else {
        Vec::new()
    };
    binding.evidence = renewed(&known, evidence, now);
    if push_id.is_some() {
        binding.previous_mac = *previous_mac;
        binding.backup_id = *backup_id;
        binding.push_id.clone_from(push_id);
    }
}

fn reopen(vmac: &mut Vmac, lease: &Lease) {
    for binding in vmac.switch_bindings.iter_mut().filter(|binding| binding.switch == lease.switch) {
        binding.state = BindingState::Pending;
    }
}

fn conclude(mut vmac: Vmac, failure: Option<Failure>, lease: &Lease, current: bool) -> Change {
    let before = vmac.status;
    let is_final = failure.as_ref().is_some_and(|why| why.class() == FailureClass::Permanent);
    vmac.status = derive_status(vmac.status, vmac.desired, &vmac.switch_bindings);
    match &failure {
        Some(why) => {
            vmac.attempts += i64::from(matches!(why.class(), FailureClass::Transient | FailureClass::Unknown));
            vmac.failure_code = Some(why.code.to_string());
            vmac.failure_text = Some(why.text.clone());
        }
        None if vmac.status != Status::Failed => {
            vmac.failure_code = None;
            vmac.failure_text = None;
        }
        None => {}
    }
    // A row that is looked at once more keeps its status until a push has seen what the switch holds.
    let met = vmac.switch_bindings.iter().all(|binding| binding.is_met(vmac.desired));
    let ended = match (current, vmac.status, vmac.desired) {
        (true, Status::Active, Desired::Bound) if met => Some(Outcome::Active),
        (true, Status::Revoked, Desired::Unbound) if met => Some(Outcome::Revoked),
        (true, Status::Failed, _) if is_final || before != Status::Failed => Some(Outcome::Failed),
        _ => None,
    };
    let waiting_here = vmac.switch_bindings.iter().any(|binding| {
        binding.switch == lease.switch && binding.state != BindingState::Failed && !binding.is_met(vmac.desired)
    });
    Change { ended, failure, done_here: !waiting_here, vmac }
}

async fn drop_work(tx: &mut Tx, changes: &[Change], lease: &Lease) -> Result<(), StoreError> {
    let done = changes.iter().filter(|change| change.done_here).map(|change| json!({"id": change.vmac.id})).collect();
    let sql = "DELETE FROM switch_work WHERE switch = $2
               AND vmac_id {in}SELECT CAST(e.value->>'id' AS BIGINT) FROM {rows}{/in}";
    tx.batch("drop work", sql, done, args![lease.switch.as_str()]).await.map(|_| ())
}

/// Queues what waited for these results: ports that are left once the address is bound elsewhere.
async fn queue_due(
    tx: &mut Tx,
    changes: &[Change],
    lease: &Lease,
    now: DateTime<Utc>,
) -> Result<Vec<SwitchName>, StoreError> {
    let moving =
        changes.iter().map(|change| &change.vmac).filter(|vmac| vmac.switch_bindings.iter().any(|p| p.leaving));
    let due = moving.flat_map(|vmac| vmac.switches_due().into_iter().map(move |switch| (switch, vmac.id)));
    let due: BTreeSet<_> = due.filter(|(switch, _)| *switch != lease.switch).collect();
    let work = due.iter().map(|(switch, id)| Waits { switch: switch.clone(), vmac_id: *id });
    queue_work(tx, work.collect(), now).await?;
    Ok(due.into_iter().map(|(switch, _)| switch).collect())
}

/// Closes the commands that have nothing left to wait for, each with its event.
async fn finish(tx: &mut Tx, changes: &[Change], now: DateTime<Utc>) -> Result<Settled, StoreError> {
    let may_end = |change: &&Change| change.ended.is_some() || change.vmac.switch_bindings.iter().any(|p| p.leaving);
    let changes: HashMap<i64, &Change> =
        changes.iter().filter(may_end).map(|change| (change.vmac.id, change)).collect();
    let commands = open_commands_of(tx, changes.keys().copied()).await?;
    let mut unanswered = changes.clone();
    let mut closings = Vec::new();
    for command in &commands {
        let change = command.vmac_id.and_then(|id| changes.get(&id));
        let Some((change, outcome)) = change.and_then(|change| Some((change, outcome_for(command, change)?))) else {
            continue;
        };
        unanswered.remove(&change.vmac.id);
        let failure = change.failure.as_ref().filter(|_| outcome == Outcome::Failed);
        closings.push(Closing { command, outcome, vmac: Some(&change.vmac), failure, superseded_by: None });
    }
    close(tx, &closings, now).await?;
    let events = unanswered.values().filter_map(|change| event_of(change, now));
    write_events(tx, events.collect(), now).await?;
    let finished = closings.iter().map(|closing| (closing.command.key.clone(), outcome_of(closing))).collect();
    Ok(Settled { finished, due: Vec::new() })
}

/// How a command ends by a change of its row; not yet where the row goes on, or wants something else by now.
fn outcome_for(command: &OpenCommand, change: &Change) -> Option<Outcome> {
    let Change { vmac, ended, .. } = change;
    match ended {
        Some(Outcome::Failed) => vmac.still_wants(command.action, command.server_id).then_some(Outcome::Failed),
        _ => vmac.is_done_for(command.action, command.server_id).then(|| Outcome::of_success(command.action)),
    }
}

/// The event of a row that changed without anybody waiting for it.
fn event_of(change: &Change, now: DateTime<Utc>) -> Option<EventRow<'_>> {
    let event = EventOf {
        outcome: change.ended?,
        server_id: Some(change.vmac.server_id),
        ip: Some(change.vmac.ip_address),
        vmac: Some(&change.vmac),
        reason: change.failure.as_ref().filter(|_| change.ended == Some(Outcome::Failed)).map(Cow::Borrowed),
        superseded_by: None,
        answers: None,
        dead_letter_id: None,
    };
    Some(event_row(event, now))
}

fn outcome_of(closing: &Closing<'_>) -> CommandOutcome {
    CommandOutcome {
        status: closing.outcome,
        vmac_id: closing.vmac.map(|vmac| vmac.id),
        code: closing.failure.map(|failure| failure.code),
        text: closing.failure.map(|failure| failure.text.clone()),
    }
}
