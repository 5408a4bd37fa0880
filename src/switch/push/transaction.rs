//! What every change of a switch shares: from the lock to the confirmation, with everything written down before it is
//! done.
//!
//! Lock, settle what an earlier push left open, read what is committed; load; keep plan and backup; commit confirmed, read
//! back, confirm; unlock. [`Stage`] says what is true on the switch if it stops at a stage. Guarantees:
//! - the candidate is ours alone from before the load until after the confirmation;
//! - nothing is committed that the journal does not have, and nothing after the lease is gone;
//! - others' locks and edits are never discarded; our own uncommitted ones always are;
//! - a commit without an answer is reported as such and decided by the next push.

use super::journal::{Journal, PushEnd, PushIntent, Stage};
use super::read_back::missing;
use super::resolve::resolve;
use crate::domain::{Code, Failure, TraceId};
use crate::switch::client::SwitchClient;
use crate::switch::client::edits::HistoryReply;
use crate::switch::commits::history::{CommitEntry, pending_confirm};
use crate::switch::error::SwitchError;
use crate::switch::known::{KnownConfiguration, PushBackup, Version, confirmation_took};
use crate::switch::netconf::RpcError;

/// How a push is made.
#[derive(Debug, Clone, Copy)]
pub struct PushOptions {
    /// Minutes after which the switch rolls an unconfirmed commit back.
    pub confirm_timeout_min: u32,
}

/// The candidate, locked by us.
pub(in crate::switch) struct Transaction<'a, J> {
    pub client: &'a mut SwitchClient,
    pub journal: &'a mut J,
    options: &'a PushOptions,
    /// The commits, newest first; empty where they are not known.
    history: Vec<CommitEntry>,
    /// The history that came with the lock.
    history_reply: Option<HistoryReply>,
    /// A commit was sent that the switch did not refuse.
    may_have_changed: bool,
    /// False once the session was lost.
    pub session_usable: bool,
}

/// How a load or a commit ended.
pub(in crate::switch) enum CommitOutcome {
    Confirmed { push_id: String, backup_id: i64 },
    Refused(SwitchError, Vec<RpcError>),
    RolledBack(Failure),
}

impl<'a, J: Journal> Transaction<'a, J> {
    /// Locks the candidate.
    pub async fn begin(
        client: &'a mut SwitchClient,
        journal: &'a mut J,
        options: &'a PushOptions,
    ) -> Result<Self, SwitchError> {
        let (locked, history_reply) = client.lock_with_history().await;
        locked?;
        journal.reached(Stage::Locked);
        Ok(Self {
            client,
            journal,
            options,
            history_reply: Some(history_reply),
            history: Vec::new(),
            may_have_changed: false,
            session_usable: true,
        })
    }

    /// Settles earlier pushes; answers with what the switch holds. What was read ahead is that while its version is the
    /// newest: nobody else commits under our lock.
    pub async fn open(&mut self) -> Result<KnownConfiguration, Failure> {
        self.resolve_earlier().await?;
        let dialect = self.client.dialect();
        let known = self.journal.known().filter(|known| known.dialect == dialect && known.is_of(&self.history));
        let known = match known {
            Some(known) => known,
            None => {
                let read = self.client.read_locked(&self.history).await;
                self.noted(read)?
            }
        };
        self.journal.reached(Stage::BackedUp);
        Ok(known)
    }

    /// Ends the transaction: what is known of the switch stays known where nothing was changed. Answers with the version
    /// that the switch is left at, where that is known.
    pub async fn end(&mut self, known: Option<KnownConfiguration>) -> Option<Version> {
        if let Some(known) = known.filter(|_| !self.may_have_changed) {
            self.journal.still_known(known);
        }
        self.unlock().await;
        Version::of(&self.history)
    }

    /// Settles earlier pushes, and stops where somebody else's confirmed commit is pending: our commit would
    /// confirm it, and its roll-back would take ours along.
    async fn resolve_earlier(&mut self) -> Result<(), Failure> {
        let reply = match self.history_reply.take() {
            Some(reply) => reply,
            None => self.client.history().await,
        };
        let mut history = self.noted(reply)?;
        let unresolved = self.journal.unresolved()?;
        if !unresolved.is_empty() {
            let resolved = resolve(self.client, self.journal, &unresolved, &history).await;
            if let Err(failure) = &resolved {
                self.note(failure);
            }
            resolved?;
            let again = self.client.history().await;
            history = self.noted(again)?;
        }
        let pending = pending_confirm(&history);
        self.history = history;
        let Some(pending) = pending else { return Ok(()) };
        let clock = self.ask_time().await?;
        if clock.as_ref().is_ok_and(|clock_s| pending.is_over(*clock_s)) {
            return Ok(());
        }
        let (name, entry) = (self.client.name(), &pending.entry);
        let unknown =
            clock.err().map(|why| format!("; whether its time is over is not known: {why}")).unwrap_or_default();
        let text = format!(
            "{name}: a confirmed commit of {} waits for its confirmation ({}){unknown}",
            entry.user, entry.comment
        );
        Err(Failure::new(Code::ConfirmPending, text))
    }

    /// The switch's time, seconds since 1970, or why it cannot be had. No other clock can stand in for it: the
    /// commit's time is the switch's own, and a commit of ours would confirm what is still pending.
    async fn ask_time(&mut self) -> Result<Result<i64, String>, Failure> {
        match self.client.clock_s().await {
            Ok(clock_s) => Ok(clock_s.ok_or_else(|| "the switch does not tell its time".to_owned())),
            Err(error) if error.breaks_session() => self.noted(Err(error)),
            Err(error) => Ok(Err(error.to_string())),
        }
    }

    /// Commits what was loaded, reads it back, and confirms it or takes it back. `before` is what was committed until
    /// now; the traces go into the commit log.
    pub async fn commit(
        &mut self,
        intent: PushIntent,
        before: &PushBackup,
        traces: &[TraceId],
    ) -> Result<CommitOutcome, Failure> {
        self.journal.reached(Stage::Loaded);
        let backup_id = match self.journal.sent(&intent, before).await {
            Ok(backup_id) => backup_id,
            Err(failure) => {
                // Perhaps what was kept ahead is not there any more.
                self.may_have_changed = true;
                self.discard().await?;
                return Err(failure);
            }
        };
        self.journal.reached(Stage::Sent);
        let timeout_min = self.options.confirm_timeout_min;
        if let Err(error) = self.client.commit_confirmed(&intent.id, traces, timeout_min).await {
            if !matches!(error, SwitchError::Refused { .. }) {
                self.may_have_changed = true;
                self.history.clear();
            }
            return self.commit_failed(&intent, error).await;
        }
        self.may_have_changed = true;
        self.journal.reached(Stage::Committed);
        // It is another one from here on.
        let before = std::mem::take(&mut self.history);
        self.conclude(intent, backup_id, &before).await
    }

    async fn conclude(
        &mut self,
        intent: PushIntent,
        backup_id: i64,
        before: &[CommitEntry],
    ) -> Result<CommitOutcome, Failure> {
        let missing = self.missing(&intent).await?;
        self.journal.may_commit()?;
        if let Some(missing) = missing {
            let rolled_back = self.client.roll_back(&intent.id).await;
            self.noted(rolled_back)?;
            self.journal.resolved(&intent.id, PushEnd::NotApplied);
            let text = format!("{}: committed, but not there when read back: {missing}", self.client.name());
            return Ok(CommitOutcome::RolledBack(Failure::new(Code::ReadBackDiffers, text)));
        }
        self.journal.reached(Stage::ReadBack);
        let (confirmed, history_reply) = self.client.confirm_with_history(&intent.id).await;
        self.noted(confirmed)?;
        self.journal.reached(Stage::Answered);
        // A worker that was suspended after reading back may have confirmed what had been rolled back by then.
        if !self.confirmation_took(before, &intent.id, history_reply)?
            && let Some(missing) = self.missing(&intent).await?
        {
            self.journal.resolved(&intent.id, PushEnd::NotApplied);
            let text = format!("{}: rolled back before it was confirmed: {missing}", self.client.name());
            return Ok(CommitOutcome::RolledBack(Failure::new(Code::ReadBackDiffers, text)));
        }
        self.journal.reached(Stage::Confirmed);
        self.journal.resolved(&intent.id, PushEnd::Confirmed);
        self.journal.reached(Stage::Resolved);
        Ok(CommitOutcome::Confirmed { push_id: intent.id, backup_id })
    }

    /// Whether the history shows that the confirmation took effect; otherwise the configuration has to be read.
    fn confirmation_took(
        &mut self,
        before: &[CommitEntry],
        push_id: &str,
        reply: HistoryReply,
    ) -> Result<bool, Failure> {
        self.history = match reply {
            Err(error) if error.breaks_session() => self.noted(Err(error))?,
            history => history.unwrap_or_default(),
        };
        Ok(confirmation_took(before, &self.history, push_id))
    }

    async fn missing(&mut self, intent: &PushIntent) -> Result<Option<String>, Failure> {
        let missing = missing(self.client, &intent.content).await;
        self.noted(missing)
    }

    /// After a refused load the candidate is brought back; any other error ends the push.
    pub async fn load_failed(&mut self, error: SwitchError) -> Result<CommitOutcome, Failure> {
        match &error {
            SwitchError::Refused { errors, .. } => {
                let errors = errors.clone();
                self.discard().await?;
                Ok(CommitOutcome::Refused(error, errors))
            }
            SwitchError::NotWhole { .. } => {
                self.discard().await?;
                Ok(CommitOutcome::Refused(error, Vec::new()))
            }
            _ => {
                let failure = error.failure();
                self.note(&failure);
                Err(failure)
            }
        }
    }

    /// The same after a refused commit, which the journal has.
    async fn commit_failed(&mut self, intent: &PushIntent, error: SwitchError) -> Result<CommitOutcome, Failure> {
        // A switch in trouble may have committed all the same: the next push finds out.
        if !matches!(error, SwitchError::Unanswered { .. } | SwitchError::Trouble { .. }) {
            self.journal.resolved(&intent.id, PushEnd::Refused);
        }
        self.load_failed(error).await
    }

    /// Gives up before the commit what was loaded.
    pub async fn discard(&mut self) -> Result<(), Failure> {
        let discarded = self.client.discard().await;
        self.noted(discarded)
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

    /// Turns an error into a failure, and notes when the session is lost with it. A refusal of anything but a load or a
    /// commit is the switch's trouble: it says nothing about the changes that wait.
    pub fn noted<T>(&mut self, result: Result<T, SwitchError>) -> Result<T, Failure> {
        result.map_err(|error| {
            let failure = match &error {
                SwitchError::Refused { .. } => Failure::new(Code::SwitchTrouble, error.to_string()),
                _ => error.failure(),
            };
            self.note(&failure);
            failure
        })
    }

    fn note(&mut self, failure: &Failure) {
        let lost = [Code::ConnectionLost, Code::CommitUnanswered, Code::ReplyNotUnderstood, Code::Unreachable];
        self.session_usable &= !lost.contains(&failure.code);
    }
}
