//! One NETCONF session over whatever carries it.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

use super::faults::FaultKind;
use super::framing::{Framing, Inbox, frame};
use super::odd_bytes::bytes_of;
use super::rfc_compliant;
use super::rpc::{self, Outcome};
use super::switch::{Switch, Terminal};
use super::time;

/// How a session came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The client closed it, or went away.
    Closed,
    /// The switch cuts the connection.
    Cut,
}

/// Gives the session's lock back, however the session ends.
pub(crate) struct Login {
    pub switch: Arc<Switch>,
    pub pid: u32,
}

impl Login {
    /// Logs `user` in; the token ends the session when it is killed or the switch goes down.
    pub(crate) fn open(switch: Arc<Switch>, user: &str, terminal: Terminal) -> (Login, CancellationToken) {
        let (pid, killed) = switch.open_session(user, terminal);
        (Login { switch, pid }, killed)
    }
}

impl Drop for Login {
    fn drop(&mut self) {
        self.switch.end_session(self.pid);
    }
}

/// Speaks NETCONF until the client closes the session or something cuts it.
pub(crate) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(switch: Arc<Switch>, user: &str, stream: S) -> End {
    if switch.strikes(FaultKind::SessionDroppedAtHello) {
        return End::Cut;
    }
    let (login, killed) = Login::open(switch, user, Terminal::None);
    tokio::select! {
        () = killed.cancelled() => End::Cut,
        end = talk(&login, user, stream) => end.unwrap_or(End::Closed),
    }
}

async fn talk<S: AsyncRead + AsyncWrite + Unpin>(login: &Login, user: &str, mut stream: S) -> std::io::Result<End> {
    let chunks = login.switch.model.base_1_1;
    let committed = login.switch.device().committed.clone();
    let dialect = if rfc_compliant::is_asked_for(&committed) { rfc_compliant::compliant } else { str::to_owned };
    stream.write_all(&frame(&dialect(&hello(user, login.pid, chunks)), Framing::EndMark)).await?;
    let mut inbox = Inbox::default();
    let Some(hello) = receive(&mut inbox, &mut stream, Framing::EndMark).await? else {
        return Ok(End::Closed);
    };
    let framing = match chunks && hello.contains(BASE_1_1) {
        true => Framing::Chunked,
        false => Framing::EndMark,
    };
    while let Some(text) = receive(&mut inbox, &mut stream, framing).await? {
        if text.trim().is_empty() {
            continue;
        }
        match rpc::answer(&login.switch, login.pid, &text).await {
            Outcome::Reply(reply) => stream.write_all(&frame(&dialect(&reply), framing)).await?,
            Outcome::Last(reply) => return farewell(&mut stream, &frame(&dialect(&reply), framing)).await,
            Outcome::Truncated(start) => return break_off(&mut stream, &dialect(&start)).await,
            Outcome::Cut => return Ok(End::Cut),
        }
    }
    Ok(End::Closed)
}

async fn receive<S: AsyncRead + Unpin>(
    inbox: &mut Inbox,
    stream: &mut S,
    framing: Framing,
) -> std::io::Result<Option<String>> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        match inbox.next(framing) {
            Ok(Some(message)) => return Ok(Some(message)),
            Ok(None) => {}
            Err(()) => return Ok(None),
        }
        match stream.read(&mut buffer).await? {
            0 => return Ok(None),
            count => inbox.push(&buffer[..count]),
        }
    }
}

async fn farewell<S: AsyncWrite + Unpin>(stream: &mut S, reply: &[u8]) -> std::io::Result<End> {
    stream.write_all(reply).await?;
    let comment = format!("<!-- session end at {} -->\n", time::shown(time::now()));
    stream.write_all(comment.as_bytes()).await?;
    stream.flush().await?;
    Ok(End::Closed)
}

/// Sends the start of a reply and waits until it is on its way.
async fn break_off<S: AsyncWrite + Unpin>(stream: &mut S, start: &str) -> std::io::Result<End> {
    stream.write_all(&bytes_of(start)).await?;
    stream.flush().await?;
    tokio::time::sleep(Duration::from_millis(50)).await;
    Ok(End::Cut)
}

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
