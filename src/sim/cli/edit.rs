//! The commands of configuration mode.

use super::commands::{CHANGED, NO_SUCH_COMMAND};
use super::pipe::split;
use super::session::{Access, Answer, CliOutcome, CliSession};
use super::show::Config;
use super::words::{CliError, TypedWord, check_statement, report, unexpected};
use crate::sim::config::set_lines::read_set;
use crate::sim::device::commit::{CONFIRM_DEFAULT_S, CommitRequest};
use crate::sim::device::load::{Action, Load};
use crate::sim::netconf::commit::{self, Ended};
use crate::sim::netconf::load;
use crate::sim::switch::faults::FaultKind;

const LOADED: &str = "load complete\n";

impl CliSession {
    /// A command of configuration mode.
    pub(super) async fn configuration(&mut self, line: &str, spoken: &[TypedWord<'_>], access: Access) -> Answer {
        let texts: Vec<&str> = spoken.iter().map(|word| word.text).collect();
        match texts.as_slice() {
            ["set" | "delete" | "activate" | "deactivate" | "annotate" | "protect" | "unprotect", ..] => {
                self.edit(line).await
            }
            ["show", ..] => {
                let (path, pipes) = split(line, &spoken[1..])?;
                self.show_configuration(line, path, Config::Candidate, &pipes)
            }
            ["commit", ..] => self.commit(line, &spoken[1..], access).await,
            ["rollback", ..] => self.rollback(line, &spoken[1..]).await,
            ["run", _, ..] => self.operational(line, &spoken[1..]).await,
            ["exit" | "quit"] | ["exit", "configuration-mode"] => Ok(CliOutcome::Text(self.leave(access))),
            ["exit" | "quit", ..] => Err(unexpected(line, spoken.get(1), "syntax error.")),
            ["top"] => Ok(CliOutcome::Text(String::new())),
            _ => Err(unexpected(line, spoken.first(), NO_SUCH_COMMAND)),
        }
    }

    async fn edit(&self, line: &str) -> Answer {
        check_statement(line)?;
        let switch = &self.login.switch;
        load::permitted(switch, "load-configuration")?;
        let (edits, errors) = read_set(line);
        let load = Load { action: Action::Merge, edits, errors, located: false };
        let warnings = load::load(switch, self.login.pid, &load).await?;
        Ok(match switch.strikes(FaultKind::SessionDroppedAfterLoad) {
            true => CliOutcome::Cut,
            false => CliOutcome::Text(warnings.iter().map(report).collect()),
        })
    }

    async fn rollback(&self, line: &str, words: &[TypedWord<'_>]) -> Answer {
        let number = words.first().map_or("0", |word| word.text);
        if words.len() > 1 || number.parse::<usize>().is_err() {
            return Err(unexpected(line, words.last(), &format!("invalid numeric value: '{number}'.")));
        }
        load::rollback(&self.login.switch, self.login.pid, number).await?;
        Ok(CliOutcome::Text(LOADED.to_owned()))
    }

    async fn commit(&mut self, line: &str, words: &[TypedWord<'_>], access: Access) -> Answer {
        let arguments = CommitArguments::read(line, words)?;
        let ended = commit::perform(&self.login.switch, self.login.pid, &arguments.request).await?;
        if ended == Ended::Cut {
            return Ok(CliOutcome::Cut);
        }
        let left = if arguments.and_quit { self.left(access) } else { String::new() };
        Ok(CliOutcome::Text(arguments.done() + &left))
    }

    /// Leaves configuration mode, or asks first what becomes of the changes.
    fn leave(&mut self, access: Access) -> String {
        if !self.login.switch.device().is_changed(self.login.pid) {
            return self.left(access);
        }
        self.asked = true;
        CHANGED.to_owned() + &question(access)
    }

    /// Takes the answer to the question of [`CliSession::leave`].
    pub(super) fn answered(&mut self, line: &str, access: Access) -> Answer {
        Ok(CliOutcome::Text(match (line.trim(), access) {
            ("no" | "n", _) => {
                self.asked = false;
                String::new()
            }
            ("" | "yes" | "y", Access::Shared) => self.left(access),
            ("" | "yes" | "y", _) => {
                format!("\nwarning: discarding uncommitted changes\n{LOADED}{}", self.left(access))
            }
            _ => format!("Please answer 'yes' or 'no'.\n{}", question(access)),
        }))
    }

    fn left(&mut self, access: Access) -> String {
        let mut device = self.login.switch.device();
        // Who was killed meanwhile has nothing to give back.
        let _ = match access {
            Access::Shared => Ok(()),
            Access::Exclusive => device.unlock(self.login.pid),
            Access::Private => device.close_private(self.login.pid),
        };
        drop(device);
        (self.editing, self.asked) = (None, false);
        "Exiting configuration mode\n".to_owned()
    }
}

fn question(access: Access) -> String {
    let name = match access {
        Access::Shared => return "Exit with uncommitted changes? [yes,no] (yes) ".to_owned(),
        Access::Exclusive => "exclusive",
        Access::Private => "private",
    };
    format!("warning: Auto rollback on exiting 'configure {name}'\nDiscard uncommitted changes? [yes,no] (yes) ")
}

/// What a `commit` line asks for.
#[derive(Default)]
struct CommitArguments {
    request: CommitRequest,
    and_quit: bool,
}

impl CommitArguments {
    fn read(line: &str, spoken: &[TypedWord<'_>]) -> Result<CommitArguments, CliError> {
        let mut arguments = CommitArguments::default();
        let mut rest = spoken.iter().peekable();
        while let Some(word) = rest.next() {
            match word.text {
                "check" => arguments.request.check_only = true,
                "and-quit" => arguments.and_quit = true,
                "synchronize" | "force" => {}
                "comment" => {
                    let text = rest.next().ok_or_else(|| unexpected(line, None, "missing argument."))?;
                    arguments.request.log = Some(text.text.to_owned());
                }
                "confirmed" => {
                    let minutes = rest.next_if(|word| word.text.parse::<u64>().is_ok_and(|minutes| minutes > 0));
                    let seconds =
                        minutes.and_then(|word| word.text.parse::<u64>().ok()).map(|count| count.saturating_mul(60));
                    arguments.request.confirmed_s = Some(seconds.unwrap_or(CONFIRM_DEFAULT_S));
                }
                _ => return Err(unexpected(line, Some(word), "syntax error.")),
            }
        }
        Ok(arguments)
    }

    fn done(&self) -> String {
        let confirmed = self.request.confirmed_s.map_or_else(String::new, |seconds| {
            let minutes = seconds / 60;
            format!("commit confirmed will be automatically rolled back in {minutes} minutes unless confirmed\n")
        });
        let complete = if self.request.check_only { "" } else { "commit complete\n" };
        format!("configuration check succeeds\n{confirmed}{complete}")
    }
}
