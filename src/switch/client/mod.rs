//! An open session to one switch: a method for each request that a push needs.

mod host_shortage;
pub(in crate::switch) mod queries;
pub(in crate::switch) mod ssh;
mod ssh_channel;

use std::any::Any;
use std::time::Duration;

use russh_stream::Stream;

use crate::domain::plan::Change;
use crate::domain::{Dialect, DialectChoice, DuplicateRule, Duplicates, Switch, TraceId, chain};
use crate::switch::commits::commit_log::{self, log};
use crate::switch::commits::history::{self, CommitEntry};
use crate::switch::dialect;
use crate::switch::error::{SwitchError, refusal};
use crate::switch::netconf::{Message, NetconfSession, Reply, Request, RpcError, SessionError, Severity, escaped};
use ssh::Credential;

mod russh_stream {
    /// The stream of an SSH channel, whatever it is made of.
    pub trait Both: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + Sync {}
    impl<T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + Sync> Both for T {}
    pub type Stream = Box<dyn Both>;
}

const CANDIDATE: &str = "<target><candidate/></target>";

/// The commit history, newest first, where it was told.
pub(in crate::switch) type HistoryReply = Result<Vec<CommitEntry>, SwitchError>;

/// The time limits of a session.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// To connect and log in.
    pub connect: Duration,
    /// For one answer other than to a commit.
    pub rpc: Duration,
    /// For the answer to a commit.
    pub commit: Duration,
}

/// An open session to one switch.
pub struct SwitchClient {
    name: String,
    dialect: Dialect,
    duplicates: Duplicates,
    /// The belief that was written down last.
    duplicates_reported: Duplicates,
    timeouts: Timeouts,
    session: NetconfSession<Stream>,
    /// Ends the connection when dropped.
    _connection: Box<dyn Any + Send + Sync>,
}

impl SwitchClient {
    /// Connects, logs in, and finds out the dialect unless the inventory or `known` tells it.
    ///
    /// # Errors
    /// [`SwitchError`], by what went wrong.
    pub async fn connect(
        switch: &Switch,
        known: Option<Dialect>,
        credential: &Credential,
        timeouts: &Timeouts,
    ) -> Result<Self, SwitchError> {
        let connection = ssh::connect(switch, credential, timeouts.connect).await?;
        let stream: Stream = Box::new(connection.stream);
        let session = NetconfSession::open(stream, timeouts.connect)
            .await
            .map_err(|error| SwitchError::NoNetconf { switch: switch.name.to_string(), problem: chain(&error) })?;
        let mut client = Self {
            name: switch.name.to_string(),
            dialect: Dialect::NonEls,
            duplicates: Duplicates::UNTOLD,
            duplicates_reported: Duplicates::UNTOLD,
            timeouts: *timeouts,
            session,
            _connection: connection.guard,
        };
        client.dialect = match (switch.dialect, known) {
            (DialectChoice::Els, _) => Dialect::Els,
            (DialectChoice::NonEls, _) => Dialect::NonEls,
            (DialectChoice::Auto, Some(known)) => known,
            (DialectChoice::Auto, None) => client.find_dialect().await?,
        };
        client.init_duplicates(switch, None);
        Ok(client)
    }

    /// The switch's name in the inventory.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The dialect it speaks.
    pub const fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Where one MAC may stand twice on it, as far as that is known.
    pub const fn duplicates(&self) -> Duplicates {
        self.duplicates
    }

    /// Begins with what was found out before.
    pub fn init_duplicates(&mut self, switch: &Switch, found: Option<DuplicateRule>) {
        self.duplicates = Duplicates::of(switch.duplicates, found, self.dialect);
        self.duplicates_reported = self.duplicates;
    }

    /// Corrects the belief.
    pub fn correct_duplicates(&mut self, duplicates: Duplicates) {
        if duplicates.rule != self.duplicates.rule {
            tracing::info!(
                switch = self.name,
                rule = duplicates.rule.as_str(),
                "the switch showed its rule of duplicates"
            );
        }
        self.duplicates = duplicates;
    }

    /// The rule that was found out since it was asked last.
    pub fn take_duplicates_found(&mut self) -> Option<DuplicateRule> {
        let reported = std::mem::replace(&mut self.duplicates_reported, self.duplicates);
        (reported != self.duplicates).then_some(self.duplicates.rule)
    }

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
    /// [`SwitchError::Refused`] with every error that the switch told, or for changes that cannot be written; or
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

    /// The changes in a place whose name on the switch is no UTF-8: written, it would be another place.
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
    /// In `commit-configuration` the time is in minutes (JNPR "commit-configuration", 1 to 65535). The traces stand in
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
    /// (terraform-provider-junos confirms so): look at the history first.
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

    /// Ends the session in order (RFC 6241 section 7.8).
    pub async fn close(mut self) {
        let patience = self.timeouts.connect.min(Duration::from_secs(2));
        let _ = self.exchange_all(&[Request::new("<close-session/>", patience)]).await;
    }

    pub(in crate::switch) async fn ask(
        &mut self,
        request: &'static str,
        operation: impl AsRef<[u8]>,
    ) -> Result<Reply, SwitchError> {
        let message = self.exchange(request, operation).await?;
        self.accepted(request, message.reply())
    }

    pub(in crate::switch) async fn exchange(
        &mut self,
        request: &'static str,
        operation: impl AsRef<[u8]>,
    ) -> Result<Message, SwitchError> {
        let asked = Request::new(operation.as_ref(), self.timeouts.rpc);
        let (replies, ended) = self.exchange_all(&[asked]).await;
        match (replies.into_iter().next(), ended) {
            (Some(message), _) => Ok(message),
            (None, ended) => Err(self.broken(request, ended.as_ref())),
        }
    }

    /// Sends requests together; the replies that came, in their order, and why there are no more of them.
    pub(in crate::switch) async fn exchange_all(
        &mut self,
        requests: &[Request],
    ) -> (Vec<Message>, Option<SessionError>) {
        let mut replies = Vec::with_capacity(requests.len());
        let ended = self.session.rpcs(requests, &mut replies).await.err();
        (replies, ended)
    }

    /// The reply in that place, if it came.
    pub(in crate::switch) fn reply_at(
        &self,
        request: &'static str,
        replies: &[Message],
        place: usize,
        ended: Option<&SessionError>,
    ) -> Result<Reply, SwitchError> {
        match replies.get(place) {
            Some(message) => self.accepted(request, message.reply()),
            None => Err(self.broken(request, ended)),
        }
    }

    pub(in crate::switch) fn accepted(
        &self,
        request: &'static str,
        reply: Result<Reply, SessionError>,
    ) -> Result<Reply, SwitchError> {
        let reply = reply.map_err(|error| self.broken(request, Some(&error)))?;
        if !reply.errors.is_empty() {
            return Err(refusal(&self.name, request, reply.errors));
        }
        for warning in &reply.warnings {
            tracing::debug!(switch = self.name, request, warning = warning.message, "the switch warns");
        }
        Ok(reply)
    }

    pub(in crate::switch) fn broken(&self, request: &'static str, error: Option<&SessionError>) -> SwitchError {
        match error {
            Some(SessionError::Xml { start, source }) => {
                self.not_understood(request, &format!("{source}: {}", start.escape_debug()))
            }
            Some(SessionError::Text(error)) => self.not_understood(request, &error.to_string()),
            error => {
                let problem = error.map_or_else(|| "no reply".to_owned(), |error| chain(error));
                SwitchError::Lost { switch: self.name.clone(), request, problem }
            }
        }
    }

    pub(in crate::switch) const fn rpc_timeout(&self) -> Duration {
        self.timeouts.rpc
    }

    pub(in crate::switch) fn not_understood(&self, request: &'static str, problem: &str) -> SwitchError {
        SwitchError::NotUnderstood { switch: self.name.clone(), request, problem: problem.to_owned() }
    }
}
