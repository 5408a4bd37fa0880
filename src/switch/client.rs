//! An open session to one switch: a method for each request that a push needs.

use std::any::Any;
use std::time::Duration;

use quick_xml::escape::escape;
use russh_stream::Stream;

use super::dialect;
use super::error::{SwitchError, refusal};
use super::guards::{self, VlanGuards};
use super::history::{self, CommitEntry};
use super::netconf::{Element, Reply, Session, SessionError};
use super::ssh::{self, Credential};
use super::vlans;
use crate::domain::plan::{Change, PortVlans, PresentBinding};
use crate::domain::{Dialect, DialectChoice, InterfaceName, Switch};

mod russh_stream {
    /// The stream of an SSH channel, whatever it is made of.
    pub trait Both: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + Sync {}
    impl<T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + Sync> Both for T {}
    pub type Stream = Box<dyn Both>;
}

const CANDIDATE: &str = "<target><candidate/></target>";

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

/// What a switch says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Its host name.
    pub host_name: Option<String>,
    /// Its model, such as `ex3300-48t`.
    pub model: Option<String>,
    /// Its Junos release.
    pub release: Option<String>,
}

/// An open session to one switch.
pub struct SwitchClient {
    name: String,
    dialect: Dialect,
    timeouts: Timeouts,
    session: Session<Stream>,
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
        let session = Session::open(stream, timeouts.connect)
            .await
            .map_err(|error| SwitchError::NoNetconf { switch: switch.name.to_string(), problem: chain(&error) })?;
        let mut client = Self {
            name: switch.name.to_string(),
            dialect: Dialect::NonEls,
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

    /// The dialect by the root of the switching table's summary: `l2ng-...` is ELS (Juniper/py-junos-eznc,
    /// facts/ethernet_mac_table.py); where that is refused, by the hierarchy that the configuration uses.
    async fn find_dialect(&mut self) -> Result<Dialect, SwitchError> {
        let ask = "<get-ethernet-switching-table-information><summary/></get-ethernet-switching-table-information>";
        match self.ask("tell its dialect", ask).await {
            Ok(reply) if reply.root.find("l2ng-l2ald-rtb-macdb").is_some() => return Ok(Dialect::Els),
            Ok(reply) if reply.root.find("ethernet-switching-table-information").is_some() => {
                return Ok(Dialect::NonEls);
            }
            Err(error) if error.breaks_session() => return Err(error),
            Ok(_) | Err(_) => {}
        }
        let configuration = self.committed(dialect::filter(Dialect::NonEls)).await?;
        let non_els = configuration.child("ethernet-switching-options").is_some();
        Ok(if non_els { Dialect::NonEls } else { Dialect::Els })
    }

    /// Locks the shared candidate, as `configure exclusive` does (RFC 6241 section 7.5).
    ///
    /// # Errors
    /// [`SwitchError::LockHeld`] or [`SwitchError::CandidateDirty`] where somebody else works on it.
    pub async fn lock(&mut self) -> Result<(), SwitchError> {
        self.ask("lock the candidate", &format!("<lock>{CANDIDATE}</lock>")).await.map(|_| ())
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

    /// The committed configuration as text, for the backup; without the line that says when it was committed,
    /// so that the same configuration is the same text.
    ///
    /// # Errors
    /// [`SwitchError::NotUnderstood`] when the reply holds no configuration, or [`SwitchError`].
    pub async fn committed_text(&mut self) -> Result<String, SwitchError> {
        let ask = "<get-configuration database=\"committed\" format=\"text\"/>";
        let reply = self.ask("show its configuration", ask).await?;
        match reply.root.find("configuration-text") {
            Some(text) if !text.text.trim().is_empty() => Ok(without_date(&text.text).to_owned()),
            _ => Err(self.not_understood("show its configuration", "no configuration text")),
        }
    }

    /// The bindings in the committed configuration.
    ///
    /// # Errors
    /// [`SwitchError`].
    pub async fn bindings(&mut self) -> Result<Vec<PresentBinding>, SwitchError> {
        let configuration = self.committed(dialect::filter(self.dialect)).await?;
        Ok(dialect::bindings(self.dialect, &configuration))
    }

    /// What these ports and the VLANs say of VLANs, with groups and interface ranges spelled out (JNPR
    /// "get-configuration", attribute `inherit`).
    ///
    /// # Errors
    /// [`SwitchError`].
    pub async fn port_vlans(&mut self, ports: impl Iterator<Item = &InterfaceName>) -> Result<PortVlans, SwitchError> {
        let configuration = self.configuration("inherit=\"inherit\"", &vlans::filter(ports)).await?;
        Ok(vlans::read(&configuration))
    }

    /// Whether the VLANs make use of their bindings.
    ///
    /// # Errors
    /// [`SwitchError`].
    pub async fn guards(&mut self) -> Result<Vec<VlanGuards>, SwitchError> {
        let configuration = self.configuration("inherit=\"inherit\"", guards::FILTER).await?;
        Ok(guards::read(&configuration))
    }

    async fn committed(&mut self, filter: &str) -> Result<Element, SwitchError> {
        self.configuration("", filter).await
    }

    async fn configuration(&mut self, attributes: &str, filter: &str) -> Result<Element, SwitchError> {
        let ask = format!(
            "<get-configuration database=\"committed\" format=\"xml\" {attributes}><configuration>{filter}</configuration></get-configuration>"
        );
        let mut reply = self.ask("show its configuration", &ask).await?;
        // A hierarchy that is not there may be answered with nothing at all.
        let at = reply.root.children.iter().position(|child| child.name == "configuration");
        Ok(at.map_or_else(Element::default, |at| reply.root.children.swap_remove(at)))
    }

    /// Loads the changes into the candidate.
    ///
    /// # Errors
    /// [`SwitchError::Refused`] with every error that the switch told, or [`SwitchError`].
    pub async fn load(&mut self, changes: &[Change]) -> Result<(), SwitchError> {
        let configuration = dialect::render(self.dialect, changes);
        let ask = format!(
            "<load-configuration action=\"merge\" format=\"xml\"><configuration>{configuration}</configuration></load-configuration>"
        );
        self.ask("load the changes", &ask).await.map(|_| ())
    }

    /// Commits the candidate; the switch rolls it back after `timeout_min` minutes unless it is confirmed.
    /// In `commit-configuration` the time is in minutes (JNPR "commit-configuration", 1 to 65535).
    ///
    /// # Errors
    /// [`SwitchError::Refused`], or [`SwitchError::Unanswered`] when nobody knows what happened.
    pub async fn commit_confirmed(&mut self, push_id: &str, timeout_min: u32) -> Result<(), SwitchError> {
        let ask = format!("<confirmed/><confirm-timeout>{timeout_min}</confirm-timeout>{}", log(push_id, ""));
        self.commit("commit the changes", &ask).await
    }

    /// Confirms a confirmed commit: a plain commit does, under our lock, with an unchanged candidate.
    ///
    /// # Errors
    /// As [`Self::commit_confirmed`].
    pub async fn confirm(&mut self, push_id: &str) -> Result<(), SwitchError> {
        self.commit("confirm the commit", &log(push_id, " confirmed")).await
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
        match self.session.rpc(&ask, self.timeouts.commit).await {
            Ok(reply) if reply.errors.is_empty() => Ok(()),
            Ok(reply) => Err(refusal(&self.name, request, reply.errors)),
            Err(error) => Err(SwitchError::Unanswered { switch: self.name.clone(), problem: chain(&error) }),
        }
    }

    /// The commit history, newest first.
    ///
    /// # Errors
    /// [`SwitchError`].
    pub async fn history(&mut self) -> Result<Vec<CommitEntry>, SwitchError> {
        let reply = self.ask("tell its commits", "<get-commit-information/>").await?;
        Ok(history::read(&reply.root))
    }

    /// The switch's own time, seconds since 1970; none when it does not tell.
    ///
    /// # Errors
    /// [`SwitchError`].
    pub async fn clock_s(&mut self) -> Result<Option<i64>, SwitchError> {
        let reply = self.ask("tell the time", "<get-system-uptime-information/>").await?;
        let time = reply.root.find("current-time").and_then(|time| time.child("date-time"));
        Ok(time.and_then(|time| time.attribute("seconds")).and_then(|seconds| seconds.parse().ok()))
    }

    /// What the switch says of itself.
    ///
    /// # Errors
    /// [`SwitchError`].
    pub async fn facts(&mut self) -> Result<Facts, SwitchError> {
        let reply = self.ask("tell its release", "<get-software-information/>").await?;
        let text = |name: &str| reply.root.find(name).map(|found| found.text.trim().to_owned());
        let package = reply.root.find("package-information").and_then(|package| package.text_of("comment"));
        let in_brackets = package.and_then(|text| Some(text.split_once('[')?.1.split_once(']')?.0.to_owned()));
        Ok(Facts {
            host_name: text("host-name"),
            model: text("product-model"),
            release: text("junos-version").or(in_brackets),
        })
    }

    /// Ends the session in order (RFC 6241 section 7.8).
    pub async fn close(mut self) {
        let patience = self.timeouts.connect.min(Duration::from_secs(2));
        let _ = self.session.rpc("<close-session/>", patience).await;
    }

    async fn ask(&mut self, request: &'static str, operation: &str) -> Result<Reply, SwitchError> {
        match self.session.rpc(operation, self.timeouts.rpc).await {
            Ok(reply) if reply.errors.is_empty() => {
                for warning in &reply.warnings {
                    tracing::debug!(switch = self.name, request, warning = warning.message, "the switch warns");
                }
                Ok(reply)
            }
            Ok(reply) => Err(refusal(&self.name, request, reply.errors)),
            Err(SessionError::Xml { start, source }) => {
                Err(self.not_understood(request, &format!("{source}: {}", start.escape_debug())))
            }
            Err(error) => Err(SwitchError::Lost { switch: self.name.clone(), request, problem: chain(&error) }),
        }
    }

    fn not_understood(&self, request: &'static str, problem: &str) -> SwitchError {
        SwitchError::NotUnderstood { switch: self.name.clone(), request, problem: problem.to_owned() }
    }
}

/// Junos starts with `## Last commit: ... by ...` or `## Last changed: ...`.
fn without_date(text: &str) -> &str {
    let text = text.trim_start();
    match text.split_once('\n') {
        Some((first, rest)) if first.starts_with("## Last ") => rest,
        _ => text,
    }
}

/// The commit's log: the push's id is how it is recognised when its answer was lost.
fn log(push_id: &str, what: &str) -> String {
    format!("<log>vmacd {}{what}</log>", escape(push_id))
}

fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
