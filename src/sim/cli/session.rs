//! The CLI on a terminal: one session, from the login to `exit`. What it does to the configuration goes through the same
//! device as NETCONF's sessions.

use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::line::{LineEditor, Typed};
use super::words::CliError;
use crate::sim::switch::open_session::{OpenSession, SessionEnd};
use crate::sim::switch::{Switch, Terminal};
use crate::sim::time;

/// How a session edits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// `configure`: the shared candidate.
    Shared,
    /// `configure exclusive`: the shared candidate, locked.
    Exclusive,
    /// `configure private`: a copy.
    Private,
}

/// What a command leads to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum CliOutcome {
    /// Text, and the next prompt.
    Text(String),
    /// The session ends.
    Leave,
    /// The connection is cut.
    Cut,
}

/// What a command says, or why it is not obeyed.
pub(crate) type Answer = Result<CliOutcome, CliError>;

/// One CLI session.
pub(crate) struct CliSession {
    pub(super) login: OpenSession,
    pub(super) user: String,
    /// How the session edits while it is in configuration mode.
    pub(super) editing: Option<Access>,
    /// Whether the next line answers the question what becomes of the changes.
    pub(super) asked: bool,
}

/// Serves the CLI until the user leaves or something cuts it.
pub(crate) async fn serve<S>(switch: Arc<Switch>, user: &str, echo: bool, stream: S) -> SessionEnd
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (login, killed) = OpenSession::open(switch, user, Terminal::Next);
    let mut cli = CliSession::new(login, user);
    tokio::select! {
        () = killed.cancelled() => SessionEnd::Cut,
        end = talk(&mut cli, echo, stream) => end.unwrap_or(SessionEnd::Closed),
    }
}

async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
    cli: &mut CliSession,
    echo: bool,
    mut stream: S,
) -> std::io::Result<SessionEnd> {
    let mut editor = LineEditor::new(echo);
    stream.write_all(&on_terminal(&(cli.banner() + &cli.prompt()))).await?;
    let mut buffer = vec![0; 4096];
    loop {
        let count = stream.read(&mut buffer).await?;
        if count == 0 {
            return Ok(SessionEnd::Closed);
        }
        for byte in &buffer[..count] {
            let Some(typed) = editor.push(*byte) else {
                continue;
            };
            stream.write_all(&editor.take_echo()).await?;
            match cli.take(typed).await {
                CliOutcome::Text(text) => stream.write_all(&on_terminal(&(text + &cli.prompt()))).await?,
                CliOutcome::Leave => return stream.flush().await.map(|()| SessionEnd::Closed),
                CliOutcome::Cut => return Ok(SessionEnd::Cut),
            }
        }
        stream.write_all(&editor.take_echo()).await?;
    }
}

/// Terminals need both line ends.
fn on_terminal(text: &str) -> Vec<u8> {
    text.replace('\n', "\r\n").into_bytes()
}

impl CliSession {
    /// A session in operational mode.
    pub(crate) fn new(login: OpenSession, user: &str) -> CliSession {
        CliSession { login, user: user.to_owned(), editing: None, asked: false }
    }

    async fn take(&mut self, typed: Typed) -> CliOutcome {
        match typed {
            Typed::Line(line) => self.run_line(&line).await,
            Typed::Interrupt => CliOutcome::Text(String::new()),
            Typed::End => self.run_line("exit").await,
        }
    }

    fn banner(&self) -> String {
        format!("--- JUNOS {} built 2018-09-11 00:00:00 UTC\n", self.login.switch.model.release)
    }

    /// What stands before the cursor when a command is awaited; nothing after a question.
    pub(crate) fn prompt(&self) -> String {
        if self.asked {
            return String::new();
        }
        let level = if self.editing.is_some() { "[edit]\n" } else { "" };
        format!("\n{}{level}{}", self.reminder(), self.name())
    }

    /// The prompt's last line, under which a wrong word is marked.
    pub(super) fn name(&self) -> String {
        let committed = self.login.switch.device().committed.clone();
        let configured = committed.find(&["system", "host-name"]).and_then(|leaf| leaf.value());
        let host = configured.unwrap_or(&self.login.switch.model.host_name);
        let sign = if self.editing.is_some() { '#' } else { '>' };
        format!("{}@{host}{sign} ", self.user)
    }

    /// A confirmed commit that waits shows above every prompt.
    fn reminder(&self) -> String {
        let deadline = self.login.switch.device().deadline();
        deadline.map_or_else(String::new, |deadline| {
            let minutes = (deadline - time::now()).max(0).unsigned_abs().div_ceil(60_000);
            format!("# commit confirmed will be rolled back in {minutes} minutes\n")
        })
    }
}
