//! The requests that change something on the switch: lock, load, commit, confirm, roll back, unlock.

use super::SwitchClient;
use crate::domain::plan::Change;
use crate::domain::{TraceId, chain};
use crate::switch::commits::commit_log::{self, log};
use crate::switch::commits::history::{self, CommitEntry};
use crate::switch::dialect;
use crate::switch::error::{SwitchError, refusal};
use crate::switch::netconf::{Reply, Request, RpcError, SessionError, Severity, escaped};

const CANDIDATE: &str = "<target><candidate/></target>";

/// The commit history, newest first, where the switch said it.
pub(in crate::switch) type HistoryReply = Result<Vec<CommitEntry>, SwitchError>;

impl SwitchClient {
    /// Locks the shared candidate, as `configure exclusive` does (RFC 6241 section 7.5).
    ///
    /// # Errors
    /// [`SwitchError::LockHeld`] or [`SwitchError::CandidateDirty`] where somebody else works on it.
    pub async fn lock(&mut self) -> Result<(), SwitchError> {
        self.ask("lock the candidate", &format!("<lock>{CANDIDATE}</lock>")).await.map(|_| ())
    }

    /// The same, and asks for the commit history, newest first, with it. The history is of no use where the lock is refused.
    pub(in crate::switch) async fn lock_with_history(&mut self) -> (Result<(), SwitchError>, HistoryReply) {
        let timeout = self.timeouts.rpc;
        let lock = Request::new(format!("<lock>{CANDIDATE}</lock>"), timeout);
        let (replies, ended) = self.exchange_all(&[lock, Request::new(history::REQUEST, timeout)]).await;
        let history =
            self.reply_at("tell its commits", &replies, 1, ended.as_ref()).map(|reply| history::read(&reply.root));
        let locked = self.reply_at("lock the candidate", &replies, 0, ended.as_ref());
        (locked.map(|_| ()), history)
    }

    /// Gives the candidate back; uncommitted changes are discarded by the switch.
    ///
    /// # Errors
    /// [`SwitchError`].
    pub async fn unlock(&mut self) -> Result<(), SwitchError> {
        self.ask("unlock the candidate", &format!("<unlock>{CANDIDATE}</unlock>")).await.map(|_| ())
    }

    /// Discards the candidate's changes; only for our own, under our own lock.
    ///
    /// # Errors
    /// [`SwitchError`].
    pub async fn discard(&mut self) -> Result<(), SwitchError> {
        self.ask("discard its candidate", "<discard-changes/>").await.map(|_| ())
    }

    /// Loads the changes into the candidate.
    ///
    /// # Errors
    /// [`SwitchError::Refused`] with every error that the switch sent, or for changes that cannot be written; or
    /// [`SwitchError`].
    pub async fn load(&mut self, changes: &[Change]) -> Result<(), SwitchError> {
        let configuration = dialect::render(self.dialect, changes);
        if configuration.contains(char::REPLACEMENT_CHARACTER) {
            let errors = self.unwritable(changes);
            return Err(SwitchError::Refused { switch: self.name.clone(), request: "load the changes", errors });
        }
        let ask = format!(
            "<load-configuration action=\"merge\" format=\"xml\"><configuration>{configuration}</configuration></load-configuration>"
        );
        self.ask("load the changes", ask).await.map(|_| ())
    }

    /// The changes in a place whose name on the switch is not valid UTF-8: written, it would be another place.
    fn unwritable(&self, changes: &[Change]) -> Vec<RpcError> {
        let is_unwritable = |change: &&Change| {
            dialect::render(self.dialect, std::slice::from_ref(*change)).contains(char::REPLACEMENT_CHARACTER)
        };
        let error = |change: &Change| {
            let (Change::Set { ip, .. } | Change::Remove { ip, .. }) = change;
            let message = format!("the group, VLAN or port of {ip} has a name on the switch that is no UTF-8");
            RpcError { severity: Severity::Error, message, path: None, bad_element: None }
        };
        changes.iter().filter(is_unwritable).map(error).collect()
    }

    /// Loads a whole configuration into the candidate, in place of all that it holds (JNPR "load-configuration", `action`
    /// `override`).
    ///
    /// # Errors
    /// As [`Self::load`].
    pub async fn load_whole(&mut self, text: &[u8]) -> Result<(), SwitchError> {
        let (start, end) = (
            b"<load-configuration action=\"override\" format=\"text\"><configuration-text>".as_slice(),
            b"</configuration-text></load-configuration>".as_slice(),
        );
        self.ask("load the configuration", [start, &escaped(text), end].concat()).await.map(|_| ())
    }

    /// Commits the candidate; the switch rolls it back after `timeout_min` minutes unless it is confirmed.
    /// In `commit-configuration` the time is in minutes (JNPR "commit-configuration", 1 to 65535). The traces go into
    /// the switch's commit log, as far as they fit.
    ///
    /// # Errors
    /// [`SwitchError::Refused`], or [`SwitchError::Unanswered`] when nobody knows what happened.
    pub async fn commit_confirmed(
        &mut self,
        push_id: &str,
        traces: &[TraceId],
        timeout_min: u32,
    ) -> Result<(), SwitchError> {
        let log = log(push_id, &commit_log::traces(traces));
        let ask = format!("<confirmed/><confirm-timeout>{timeout_min}</confirm-timeout>{log}");
        self.commit("commit the changes", &ask).await
    }

    /// Confirms a confirmed commit: a plain commit does, under our lock, with an unchanged candidate.
    ///
    /// # Errors
    /// As [`Self::commit_confirmed`].
    pub async fn confirm(&mut self, push_id: &str) -> Result<(), SwitchError> {
        self.commit("confirm the commit", &log(push_id, commit_log::CONFIRMED)).await
    }

    /// The same, and asks for the commit history behind it.
    pub(in crate::switch) async fn confirm_with_history(
        &mut self,
        push_id: &str,
    ) -> (Result<(), SwitchError>, HistoryReply) {
        let log = log(push_id, commit_log::CONFIRMED);
        let confirm = format!("<commit-configuration>{log}</commit-configuration>");
        let confirm = Request::new(confirm, self.timeouts.commit);
        let (replies, ended) = self.exchange_all(&[confirm, Request::new(history::REQUEST, self.timeouts.rpc)]).await;
        let history =
            self.reply_at("tell its commits", &replies, 1, ended.as_ref()).map(|reply| history::read(&reply.root));
        let confirmed = match replies.into_iter().next() {
            Some(message) => self.committed("confirm the commit", message.reply()),
            None => Err(self.unanswered(ended.as_ref())),
        };
        (confirmed, history)
    }

    /// Asks whether the candidate could be committed by this login. It confirms a pending confirmed commit, anybody's
    /// (terraform-provider-junos confirms so): check the history first.
    ///
    /// # Errors
    /// As [`Self::commit_confirmed`].
    pub async fn check_commit(&mut self) -> Result<(), SwitchError> {
        self.commit("check a commit", "<check/>").await
    }

    /// Takes the newest commit back: rollback 1, and a commit of that, which also ends a pending one.
    ///
    /// # Errors
    /// As [`Self::commit_confirmed`].
    pub async fn roll_back(&mut self, push_id: &str) -> Result<(), SwitchError> {
        self.ask("load the configuration before", "<load-configuration rollback=\"1\"/>").await?;
        self.commit("roll the commit back", &log(push_id, " rolled back")).await
    }

    async fn commit(&mut self, request: &'static str, inner: &str) -> Result<(), SwitchError> {
        let ask = format!("<commit-configuration>{inner}</commit-configuration>");
        let (replies, ended) = self.exchange_all(&[Request::new(ask, self.timeouts.commit)]).await;
        match replies.into_iter().next() {
            Some(message) => self.committed(request, message.reply()),
            None => Err(self.unanswered(ended.as_ref())),
        }
    }

    fn committed(&self, request: &'static str, reply: Result<Reply, SessionError>) -> Result<(), SwitchError> {
        match reply {
            Ok(reply) if reply.errors.is_empty() => Ok(()),
            Ok(reply) => Err(refusal(&self.name, request, reply.errors)),
            Err(error) => Err(self.unanswered(Some(&error))),
        }
    }

    fn unanswered(&self, error: Option<&SessionError>) -> SwitchError {
        let problem = error.map_or_else(|| "no reply".to_owned(), |error| chain(error));
        SwitchError::Unanswered { switch: self.name.clone(), problem }
    }
}
