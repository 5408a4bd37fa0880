//! The commands of operational mode, and the way into configuration mode.

use super::pipe::split;
use super::session::{Access, Answer, CliOutcome, CliSession};
use super::show::Config;
use super::words::{TypedWord, message_for, unexpected, words};
use crate::sim::netconf::lock;
use crate::sim::time;

pub(crate) const NO_SUCH_COMMAND: &str = "unknown command.";
pub(crate) const EXPECTING_COMMAND: &str = "syntax error, expecting <command>.";
pub(crate) const CHANGED: &str = "The configuration has been changed but not committed\n";

impl CliSession {
    /// Does what `line` says.
    pub(crate) async fn run_line(&mut self, line: &str) -> CliOutcome {
        let margin = self.name().len();
        let words = words(line);
        let answer = match (self.asked, words.first(), self.editing) {
            (true, _, Some(access)) => self.answered(line, access),
            (_, None, _) => Ok(CliOutcome::Text(String::new())),
            (_, Some(first), _) if first.text.starts_with('#') => Ok(CliOutcome::Text(String::new())),
            (_, Some(_), None) => self.operational(line, &words).await,
            (_, Some(_), Some(access)) => self.configuration(line, &words, access).await,
        };
        answer.unwrap_or_else(|wrong| CliOutcome::Text(message_for(&wrong, margin)))
    }

    /// A command of operational mode; `run` gives them to configuration mode too.
    pub(super) async fn operational(&mut self, line: &str, words: &[TypedWord<'_>]) -> Answer {
        let texts: Vec<&str> = words.iter().map(|word| word.text).collect();
        match texts.as_slice() {
            ["set", "cli", ..] => set_cli(line, &words[2..]),
            ["show", ..] => self.show_operational(line, &words[1..]),
            ["configure" | "edit", ..] if self.editing.is_none() => self.configure(line, &words[1..]).await,
            ["exit" | "quit"] if self.editing.is_none() => Ok(CliOutcome::Leave),
            ["set", ..] => Err(unexpected(line, words.get(1), EXPECTING_COMMAND)),
            _ => Err(unexpected(line, words.first(), NO_SUCH_COMMAND)),
        }
    }

    fn show_operational(&self, line: &str, words: &[TypedWord<'_>]) -> Answer {
        let (command, pipes) = split(line, words)?;
        let texts: Vec<&str> = command.iter().map(|word| word.text).collect();
        let switch = &self.login.switch;
        let text = match texts.as_slice() {
            ["configuration", ..] => return self.show_configuration(line, &command[1..], Config::Committed, &pipes),
            ["version"] => super::show::version(switch),
            ["system", "commit"] => super::show::commits(switch),
            ["system"] => return Err(unexpected(line, None, EXPECTING_COMMAND)),
            ["system", ..] => return Err(unexpected(line, command.get(1), EXPECTING_COMMAND)),
            ["version", ..] => return Err(unexpected(line, command.get(1), "syntax error.")),
            _ => return Err(unexpected(line, command.first(), EXPECTING_COMMAND)),
        };
        Ok(CliOutcome::Text(super::pipe::through(text, &pipes)))
    }

    async fn configure(&mut self, line: &str, words: &[TypedWord<'_>]) -> Answer {
        let access = match words {
            [] => Access::Shared,
            [how] if how.text == "exclusive" => Access::Exclusive,
            [how] if how.text == "private" => Access::Private,
            [first, rest @ ..] => return Err(unexpected(line, Some(rest.first().unwrap_or(first)), "syntax error.")),
        };
        let (switch, pid) = (self.login.switch.clone(), self.login.pid);
        match access {
            Access::Shared => {}
            Access::Exclusive => lock::take(&switch, pid).await?,
            Access::Private => switch.device().open_private(pid, time::now())?,
        }
        self.editing = Some(access);
        Ok(CliOutcome::Text(self.entered(access)))
    }

    fn entered(&self, access: Access) -> String {
        const ENTERING: &str = "Entering configuration mode\n";
        if access != Access::Shared {
            return format!("warning: uncommitted changes will be discarded on exit\n{ENTERING}");
        }
        let (device, pid) = (self.login.switch.device(), self.login.pid);
        let changed = if device.is_changed(pid) { CHANGED } else { "" };
        let holder = device.nobody_else_holds(pid, time::now()).err().unwrap_or_default();
        let holder: String = holder.iter().filter_map(|error| error.message.split_once('\n')).map(editor).collect();
        format!("{ENTERING}{holder}{changed}")
    }
}

fn editor((_, who): (&str, &str)) -> String {
    format!("Users currently editing the configuration:\n{who}[edit]\n")
}

/// Settings of the terminal; here they change nothing.
fn set_cli(line: &str, words: &[TypedWord<'_>]) -> Answer {
    let texts: Vec<&str> = words.iter().map(|word| word.text).collect();
    let text = match texts.as_slice() {
        ["screen-width", count] => format!("Screen width set to {count}\n"),
        ["screen-length", count] => format!("Screen length set to {count}\n"),
        ["complete-on-space", "off"] => "Disabling complete-on-space\n".to_owned(),
        ["complete-on-space", "on"] => "Enabling complete-on-space\n".to_owned(),
        ["idle-timeout", "0"] => "Idle timeout disabled\n".to_owned(),
        ["idle-timeout", count] => format!("Idle timeout set to {count} minutes\n"),
        _ => return Err(unexpected(line, words.first(), "syntax error.")),
    };
    Ok(CliOutcome::Text(text))
}
