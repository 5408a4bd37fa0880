//! The control socket: one line a command, one line an answer, for whoever tries things while it runs.
//!
//! `SWITCH VERB [ARGUMENT]`, where `SWITCH` is a name or `all`; see [`HELP`].

use std::fs::Permissions;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};

use super::handle::SimHandle;
use crate::sim::error::SimError;
use crate::sim::switch::pace::parse_rate;

/// The answer to anything that is not understood.
const HELP: &str = "SWITCH (or all), then: fault NAME[:MS][@N|@N+|%P] | clear | faults | commit-time SPAN | rpc-time SPAN | read-rate RATE | holds | stop | start | \
    reboot SPAN | edit SET-LINE | learn MAC PORT [kept] | commit | discard | lock | unlock | expire";

/// The listening socket; its file goes with it.
pub(crate) struct Control {
    listener: UnixListener,
    path: PathBuf,
}

impl Control {
    /// Listens at `path`, in place of a socket that nobody listens at any more.
    pub(crate) async fn bind(path: &Path) -> Result<Self, SimError> {
        let refused = |source| SimError::Control { path: path.display().to_string(), source };
        let is_socket = std::fs::symlink_metadata(path).is_ok_and(|known| known.file_type().is_socket());
        if is_socket && UnixStream::connect(path).await.is_err() {
            let _ = std::fs::remove_file(path);
        }
        let listener = UnixListener::bind(path).map_err(refused)?;
        // Whoever may connect may command the switches.
        std::fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(refused)?;
        Ok(Self { listener, path: path.to_owned() })
    }

    /// Answers for as long as it is polled.
    pub(crate) async fn run(self, switches: Vec<SimHandle>) {
        while let Ok((stream, _)) = self.listener.accept().await {
            let switches = switches.clone();
            tokio::spawn(async move {
                let _ = talk(stream, &switches).await;
            });
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

async fn talk(stream: UnixStream, switches: &[SimHandle]) -> std::io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut lines = BufReader::new(reader).lines();
    while let Some(line) = lines.next_line().await? {
        let answer = match obey(&line, switches).await {
            Ok(text) if text.is_empty() => "ok\n".to_owned(),
            Ok(text) => format!("ok {text}\n"),
            Err(problem) => format!("error: {}\n", problem.escape_debug()),
        };
        writer.write_all(answer.as_bytes()).await?;
    }
    Ok(())
}

async fn obey(line: &str, switches: &[SimHandle]) -> Result<String, String> {
    let (name, command) = line.trim().split_once(' ').ok_or(HELP)?;
    let (verb, argument) = command.trim().split_once(' ').unwrap_or((command.trim(), ""));
    let chosen: Vec<_> = switches.iter().filter(|switch| name == "all" || switch.name() == name).collect();
    if chosen.is_empty() {
        return Err(format!("there is no switch {name}"));
    }
    let mut answers = Vec::new();
    for switch in chosen {
        answers.extend(carry_out(switch, verb, argument.trim()).await?);
    }
    Ok(answers.join(" "))
}

async fn carry_out(switch: &SimHandle, verb: &str, argument: &str) -> Result<Option<String>, String> {
    match verb {
        "fault" => switch.set_fault(argument).map_err(|error| error.to_string())?,
        "clear" => switch.clear_faults(),
        "faults" => return Ok(Some(format!("{}: {}", switch.name(), switch.faults().join(",")))),
        "commit-time" => switch.set_commit_time(span(argument)?),
        "rpc-time" => switch.set_rpc_time(span(argument)?),
        "read-rate" => switch.set_read_rate(Some(parse_rate(argument)?)),
        "holds" => return Ok(Some(serde_json::json!(switch.lock_holds()).to_string())),
        "stop" => switch.stop(),
        "start" => switch.start().await.map_err(|error| error.to_string())?,
        "reboot" => switch.reboot(span(argument)?),
        "edit" => switch.operator_edit(argument)?,
        "learn" => learn(switch, argument)?,
        "commit" => switch.operator_commit()?,
        "discard" => switch.operator_discard()?,
        "lock" => switch.operator_lock()?,
        "unlock" => switch.operator_unlock(),
        "expire" if switch.expire_commit() => {}
        "expire" => return Err(format!("{}: no commit is waiting to be confirmed", switch.name())),
        _ => return Err(HELP.to_owned()),
    }
    Ok(None)
}

fn learn(switch: &SimHandle, argument: &str) -> Result<(), String> {
    match *argument.split_whitespace().collect::<Vec<_>>() {
        [mac, port] => switch.learn(mac, port, false),
        [mac, port, "kept"] => switch.learn(mac, port, true),
        _ => return Err(HELP.to_owned()),
    }
    Ok(())
}

fn span(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|error| format!("{text}: {error}"))
}
