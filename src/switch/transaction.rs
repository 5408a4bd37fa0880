//! The push: from the lock to the confirmation, with everything written down before it is done.
//!
//! Lock, settle what an earlier push left open, back up, read, gather, plan; then for each group load,
//! commit confirmed, read back, confirm; unlock. What is true on the switch if it stops at a stage stands
//! at [`Stage`]. Guarantees:
//! - the candidate is ours alone from before the load until after the confirmation;
//! - nothing is committed that the journal does not have, and nothing after the lease is gone;
//! - others' locks and edits are never discarded; our own uncommitted ones always are;
//! - a commit without an answer is reported as such and decided by the next push.

use std::collections::VecDeque;

use uuid::Uuid;

use super::client::SwitchClient;
use super::error::SwitchError;
use super::history::pending_confirm;
use super::journal::{Journal, PushEnd, PushIntent, PushReport, Reached, Stage, WishResult, macs_at};
use super::narrow::narrow;
use super::netconf::RpcError;
use super::resolve::resolve;
use crate::domain::plan::{Change, PortVlans, PresentBinding, Step, Wish, plan, wants_port_vlans};
use crate::domain::{Code, Failure};

/// How a push is made.
#[derive(Debug, Clone, Copy)]
pub struct PushOptions {
    /// Minutes after which the switch rolls an unconfirmed commit back.
    pub confirm_timeout_min: u32,
}

/// Pushes what the journal gathers. Never fails as such: the report says what became of what.
pub async fn push<J: Journal>(client: &mut SwitchClient, journal: &mut J, options: &PushOptions) -> PushReport {
    if let Err(error) = client.lock().await {
        let lost_before_use = error.breaks_session();
        let failure = Some(error.failure());
        return PushReport { results: Vec::new(), whole: failure, session_usable: !lost_before_use, lost_before_use };
    }
    journal.reached(Stage::Locked);
    let mut transaction = Transaction { client, journal, options, results: Vec::new(), session_usable: true };
    let whole = transaction.locked().await.err();
    transaction.unlock().await;
    let Transaction { results, session_usable, .. } = transaction;
    PushReport { results, whole, session_usable, lost_before_use: false }
}

struct Transaction<'a, J> {
    client: &'a mut SwitchClient,
    journal: &'a mut J,
    options: &'a PushOptions,
    results: Vec<WishResult>,
    session_usable: bool,
}

/// How trying a group ended.
enum Tried {
    Confirmed { push_id: String },
    Refused(SwitchError, Vec<RpcError>),
    RolledBack(Failure),
}

impl<J: Journal> Transaction<'_, J> {
    async fn locked(&mut self) -> Result<(), Failure> {
        self.resolve_earlier().await?;
        let push_id = Uuid::now_v7().to_string();
        let text = self.client.committed_text().await;
        let text = self.seen(text)?;
        let backup_id = self.journal.backed_up(&push_id, &text).await?;
        self.journal.reached(Stage::BackedUp);
        let present = self.client.bindings().await;
        let present = self.seen(present)?;
        self.journal.reached(Stage::Read);
        let wishes = self.journal.gather().await?;
        let ours = self.journal.ours(&macs_at(&wishes, &present)).await?;
        let port_vlans = self.port_vlans(&wishes, &present).await?;
        self.journal.reached(Stage::Gathered);
        let mut group = Vec::new();
        for step in plan(&wishes, &present, &port_vlans, |mac| ours.contains(&mac)) {
            match step {
                Ok(step) if step.changes.is_empty() => self.reached(step, None),
                Ok(step) => group.push(step),
                Err((wish, failure)) => self.results.push(WishResult { wish, end: Err(failure) }),
            }
        }
        if group.is_empty() { Ok(()) } else { self.push_groups(group, push_id, backup_id).await }
    }

    /// What the ports' configuration says of VLANs, asked for only where nothing nearer tells.
    async fn port_vlans(&mut self, wishes: &[Wish], present: &[PresentBinding]) -> Result<PortVlans, Failure> {
        if !wants_port_vlans(wishes, present) {
            return Ok(PortVlans::default());
        }
        let port_vlans = self.client.port_vlans(wishes.iter().map(|wish| &wish.interface)).await;
        self.seen(port_vlans)
    }

    /// Settles earlier pushes, and stops where somebody else's confirmed commit is pending: our commit would
    /// confirm it, and its roll-back would take ours along.
    async fn resolve_earlier(&mut self) -> Result<(), Failure> {
        let history = self.client.history().await;
        let mut history = self.seen(history)?;
        let unresolved = self.journal.unresolved().await?;
        if !unresolved.is_empty() {
            let resolved = resolve(self.client, self.journal, &unresolved, &history).await;
            if let Err(failure) = &resolved {
                self.note(failure);
            }
            resolved?;
            let again = self.client.history().await;
            history = self.seen(again)?;
        }
        let Some(pending) = pending_confirm(&history) else { return Ok(()) };
        let clock_s = self.client.clock_s().await;
        let clock_s = self.seen(clock_s)?.unwrap_or_else(|| chrono::Utc::now().timestamp());
        if pending.is_over(clock_s) {
            return Ok(());
        }
        let (name, entry) = (self.client.name(), &pending.entry);
        let text =
            format!("{name}: a confirmed commit of {} waits for its confirmation ({})", entry.user, entry.comment);
        Err(Failure::new(Code::ConfirmPending, text))
    }

    /// Pushes a group; what is refused is narrowed, the parts tried one after another.
    async fn push_groups(&mut self, group: Vec<Step>, push_id: String, backup_id: i64) -> Result<(), Failure> {
        let mut groups = VecDeque::from([group]);
        let mut push_id = Some(push_id);
        while let Some(group) = groups.pop_front() {
            let push_id = push_id.take().unwrap_or_else(|| Uuid::now_v7().to_string());
            match self.try_group(&group, push_id, backup_id).await? {
                Tried::Confirmed { push_id } => {
                    for step in group {
                        self.reached(step, Some((push_id.clone(), Some(backup_id))));
                    }
                }
                Tried::RolledBack(failure) => self.fail(group, &failure),
                Tried::Refused(error, _) if group.len() == 1 => self.fail(group, &error.failure()),
                Tried::Refused(_, errors) => {
                    for part in narrow(group, &errors).into_iter().rev() {
                        groups.push_front(part);
                    }
                }
            }
        }
        Ok(())
    }

    async fn try_group(&mut self, group: &[Step], push_id: String, backup_id: i64) -> Result<Tried, Failure> {
        let changes: Vec<Change> = group.iter().flat_map(|step| step.changes.clone()).collect();
        let intent = PushIntent { id: push_id, changes, backup_id: Some(backup_id) };
        self.journal.prepared(&intent).await?;
        self.journal.reached(Stage::Prepared);
        if let Err(error) = self.client.load(&intent.changes).await {
            return self.refused(&intent, error).await;
        }
        self.journal.reached(Stage::Loaded);
        if let Err(failure) = self.journal.sent(&intent.id).await {
            self.discard().await?;
            return Err(failure);
        }
        self.journal.reached(Stage::Sent);
        let rows: Vec<i64> = group.iter().map(|step| step.wish.vmac_id).collect();
        let traces = self.journal.traces(&rows);
        let timeout_min = self.options.confirm_timeout_min;
        if let Err(error) = self.client.commit_confirmed(&intent.id, &traces, timeout_min).await {
            return self.refused(&intent, error).await;
        }
        self.journal.reached(Stage::Committed);
        self.conclude(intent).await
    }

    /// Reads back what was committed, and confirms it or takes it back.
    async fn conclude(&mut self, intent: PushIntent) -> Result<Tried, Failure> {
        let missing = self.missing(&intent).await?;
        self.journal.may_commit().await?;
        if let Some(change) = missing {
            let rolled_back = self.client.roll_back(&intent.id).await;
            self.seen(rolled_back)?;
            self.journal.resolved(&intent.id, PushEnd::NotApplied).await?;
            let text = format!("{}: committed, but not there when read back: {change:?}", self.client.name());
            return Ok(Tried::RolledBack(Failure::new(Code::ReadBackDiffers, text)));
        }
        self.journal.reached(Stage::ReadBack);
        let confirmed = self.client.confirm(&intent.id).await;
        self.seen(confirmed)?;
        // A worker that was suspended after reading back may have confirmed what had been rolled back by then.
        if let Some(change) = self.missing(&intent).await? {
            self.journal.resolved(&intent.id, PushEnd::NotApplied).await?;
            let text = format!("{}: rolled back before it was confirmed: {change:?}", self.client.name());
            return Ok(Tried::RolledBack(Failure::new(Code::ReadBackDiffers, text)));
        }
        self.journal.reached(Stage::Confirmed);
        self.journal.resolved(&intent.id, PushEnd::Confirmed).await?;
        self.journal.reached(Stage::Resolved);
        Ok(Tried::Confirmed { push_id: intent.id })
    }

    /// A change that the switch does not hold.
    async fn missing(&mut self, intent: &PushIntent) -> Result<Option<Change>, Failure> {
        let present = self.client.bindings().await;
        let present = self.seen(present)?;
        Ok(intent.changes.iter().find(|change| !change.is_held_by(&present)).cloned())
    }

    /// After a refused load or commit the candidate is brought back; any other error ends the push.
    async fn refused(&mut self, intent: &PushIntent, error: SwitchError) -> Result<Tried, Failure> {
        match &error {
            SwitchError::Refused { errors, .. } => {
                let errors = errors.clone();
                self.discard().await?;
                self.journal.resolved(&intent.id, PushEnd::Refused).await?;
                Ok(Tried::Refused(error, errors))
            }
            _ => {
                // A switch in trouble may have committed all the same: the next push finds out.
                let is_certain = !matches!(error, SwitchError::Unanswered { .. } | SwitchError::Trouble { .. });
                let failure = error.failure();
                self.note(&failure);
                if is_certain {
                    self.journal.resolved(&intent.id, PushEnd::Refused).await?;
                }
                Err(failure)
            }
        }
    }

    async fn discard(&mut self) -> Result<(), Failure> {
        let discarded = self.client.discard().await;
        self.seen(discarded)
    }

    /// That the unlock fails after a good commit is a warning: the switch frees the lock with the session.
    async fn unlock(&mut self) {
        if !self.session_usable {
            return;
        }
        match self.client.unlock().await {
            Ok(()) => self.journal.reached(Stage::Unlocked),
            Err(error) => {
                tracing::warn!(switch = self.client.name(), error = %error, "unlock failed; the session is closed");
                self.session_usable = false;
            }
        }
    }

    fn reached(&mut self, step: Step, push: Option<(String, Option<i64>)>) {
        let reached = Reached { end: step.end, previous_mac: step.previous_mac, push };
        self.results.push(WishResult { wish: step.wish, end: Ok(reached) });
    }

    fn fail(&mut self, group: Vec<Step>, failure: &Failure) {
        self.results.extend(group.into_iter().map(|step| WishResult { wish: step.wish, end: Err(failure.clone()) }));
    }

    /// Turns an error into a failure, and notes when the session is lost with it.
    fn seen<T>(&mut self, result: Result<T, SwitchError>) -> Result<T, Failure> {
        result.map_err(|error| {
            let failure = error.failure();
            self.note(&failure);
            failure
        })
    }

    fn note(&mut self, failure: &Failure) {
        let lost = [Code::ConnectionLost, Code::CommitUnanswered, Code::ReplyNotUnderstood, Code::Unreachable];
        self.session_usable &= !lost.contains(&failure.code);
    }
}
