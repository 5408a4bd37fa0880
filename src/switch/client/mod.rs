//! An open session to one switch: how requests are exchanged over it, and what is known of the switch meanwhile. `edits` and
//! `queries` have a method for each request.

pub(in crate::switch) mod edits;
mod host_shortage;
pub(in crate::switch) mod queries;
pub(in crate::switch) mod ssh;
mod ssh_channel;

use std::any::Any;
use std::time::Duration;

use russh_stream::Stream;

use crate::domain::{Dialect, DialectChoice, DuplicateRule, Duplicates, Switch, chain};
use crate::switch::error::{SwitchError, refusal};
use crate::switch::netconf::{Message, NetconfSession, Reply, Request, SessionError};
use ssh::Credential;

mod russh_stream {
    /// The stream of an SSH channel, whatever it is made of.
    pub trait Both: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + Sync {}
    impl<T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + Sync> Both for T {}
    pub type Stream = Box<dyn Both>;
}

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
    /// Connects, logs in, and finds out the dialect unless the inventory or `known` has it.
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

    /// Where it accepts one MAC for several addresses, as far as that is known.
    pub const fn duplicates(&self) -> Duplicates {
        self.duplicates
    }

    /// Starts with the rule of duplicates that was found out before.
    pub fn init_duplicates(&mut self, switch: &Switch, found: Option<DuplicateRule>) {
        self.duplicates = Duplicates::of(switch.duplicates, found, self.dialect);
        self.duplicates_reported = self.duplicates;
    }

    /// Corrects the rule of duplicates by what the switch showed.
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
