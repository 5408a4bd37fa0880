//! One NETCONF session over whatever carries it.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc::{self, Receiver};
use tokio::time::Instant;

use super::dispatch::{self, Answered};
use super::framing::{Framing, Inbox, frame};
use super::outcome::Outcome;
use super::requests::{Request, read_all, receive};
use super::rfc_compliant;
use crate::sim::odd_bytes::bytes_of;
use crate::sim::switch::faults::FaultKind;
use crate::sim::switch::lock_watch::Served;
use crate::sim::switch::open_session::{OpenSession, SessionEnd};
use crate::sim::switch::{Switch, Terminal};
use crate::sim::time;

/// Speaks NETCONF until the client closes the session or something cuts it.
pub(crate) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(switch: Arc<Switch>, user: &str, stream: S) -> SessionEnd {
    if switch.strikes(FaultKind::SessionDroppedAtHello) {
        return SessionEnd::Cut;
    }
    let (login, killed) = OpenSession::open(switch, user, Terminal::None);
    tokio::select! {
        () = killed.cancelled() => SessionEnd::Cut,
        end = talk(&login, user, stream) => end.unwrap_or(SessionEnd::Closed),
    }
}

async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
    login: &OpenSession,
    user: &str,
    stream: S,
) -> std::io::Result<SessionEnd> {
    let chunks = login.switch.model.base_1_1;
    let committed = login.switch.device().committed.clone();
    let dialect = if rfc_compliant::is_asked_for(&committed) { rfc_compliant::compliant } else { str::to_owned };
    let (mut reader, mut writer) = tokio::io::split(stream);
    writer.write_all(&frame(&dialect(&hello(user, login.pid, chunks)), Framing::EndMark)).await?;
    let mut inbox = Inbox::default();
    let Some(hello) = receive(&mut inbox, &mut reader, Framing::EndMark).await? else {
        return Ok(SessionEnd::Closed);
    };
    let framing = match chunks && hello.contains(BASE_1_1) {
        true => Framing::Chunked,
        false => Framing::EndMark,
    };
    let (queue, requests) = mpsc::channel(PIPELINED_MAX);
    let reading = async {
        read_all(inbox, reader, framing, queue).await;
        std::future::pending().await
    };
    tokio::select! {
        end = Conversation { login, writer, framing, dialect, replied: None }.answer_all(requests) => end,
        never = reading => never,
    }
}

/// Requests are answered one after another, however many were sent together.
struct Conversation<'l, W> {
    login: &'l OpenSession,
    writer: W,
    framing: Framing,
    dialect: fn(&str) -> String,
    /// When the last reply was on its way.
    replied: Option<Instant>,
}

impl<W: AsyncWrite + Unpin> Conversation<'_, W> {
    async fn answer_all(mut self, mut requests: Receiver<Request>) -> std::io::Result<SessionEnd> {
        while let Some(request) = requests.recv().await {
            if request.text.trim().is_empty() {
                continue;
            }
            if let Some(end) = self.answer(&request).await? {
                return Ok(end);
            }
            self.replied = Some(Instant::now());
        }
        Ok(SessionEnd::Closed)
    }

    /// Answers one request; how the session ends, where it ends with it.
    async fn answer(&mut self, request: &Request) -> std::io::Result<Option<SessionEnd>> {
        let switch = &self.login.switch;
        let alone = self.replied.is_none_or(|replied| replied <= request.arrived);
        let began = Instant::now();
        switch.pace.wait().await;
        let Answered { name, outcome } = dispatch::answer(switch, self.login.pid, &request.text).await;
        let reply = match &outcome {
            Outcome::Reply(reply) | Outcome::Last(reply) => frame(&(self.dialect)(reply), self.framing),
            Outcome::Truncated(start) => bytes_of(&(self.dialect)(start)),
            Outcome::Cut => Vec::new(),
        };
        switch.note(&Served { pid: self.login.pid, name: &name, alone, bytes: reply.len(), began });
        switch.pace.send(&mut self.writer, &reply).await?;
        Ok(match outcome {
            Outcome::Reply(_) => None,
            Outcome::Last(_) => Some(farewell(&mut self.writer).await?),
            Outcome::Truncated(_) => Some(break_off(&mut self.writer).await?),
            Outcome::Cut => Some(SessionEnd::Cut),
        })
    }
}

async fn farewell<S: AsyncWrite + Unpin>(stream: &mut S) -> std::io::Result<SessionEnd> {
    let comment = format!("<!-- session end at {} -->\n", time::shown(time::now()));
    stream.write_all(comment.as_bytes()).await?;
    stream.flush().await?;
    Ok(SessionEnd::Closed)
}

/// Waits until the start of a reply is on its way.
async fn break_off<S: AsyncWrite + Unpin>(stream: &mut S) -> std::io::Result<SessionEnd> {
    stream.flush().await?;
    tokio::time::sleep(Duration::from_millis(50)).await;
    Ok(SessionEnd::Cut)
}

/// How many requests may wait behind the one that is answered before the client is kept waiting with more.
const PIPELINED_MAX: usize = 64;

const BASE_1_1: &str = "urn:ietf:params:netconf:base:1.1";

/// The capabilities Junos announces, each in the form of RFC 6241 and in the older one.
const CAPABILITIES: [&str; 5] = [
    "base:1.0",
    "capability:candidate:1.0",
    "capability:confirmed-commit:1.0",
    "capability:validate:1.0",
    "capability:url:1.0?protocol=http,ftp,file",
];

fn hello(user: &str, pid: u32, chunks: bool) -> String {
    let mut list = String::new();
    for prefix in ["urn:ietf:params:netconf:", "urn:ietf:params:xml:ns:netconf:"] {
        CAPABILITIES.iter().for_each(|name| capability(&mut list, &format!("{prefix}{name}")));
    }
    capability(&mut list, "http://xml.juniper.net/netconf/junos/1.0");
    capability(&mut list, "http://xml.juniper.net/dmi/system/1.0");
    if chunks {
        capability(&mut list, BASE_1_1);
    }
    format!(
        "<!-- No zombies were killed during the creation of this user interface -->\n<!-- user {user}, class j-super-user -->\n<hello xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\">\n  <capabilities>\n{list}  </capabilities>\n  <session-id>{pid}</session-id>\n</hello>\n"
    )
}

fn capability(list: &mut String, name: &str) {
    list.push_str(&format!("    <capability>{name}</capability>\n"));
}
