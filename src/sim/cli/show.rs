//! What the `show` commands print.

use std::sync::Arc;

use super::pipe::{Pipe, through};
use super::session::{Answer, CliOutcome, CliSession};
use super::words::{CliError, TypedWord};
use crate::sim::config::compare::compare;
use crate::sim::config::print_text::{print_block, print_statement};
use crate::sim::config::set_lines::{follow, print_set};
use crate::sim::config::tree::{At, Node};
use crate::sim::device::reply_error::RpcError;
use crate::sim::netconf::configuration::{self, Shown};
use crate::sim::switch::Switch;
use crate::sim::time;

/// Which configuration is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Config {
    Committed,
    Candidate,
}

impl CliSession {
    /// Prints the configuration, or the part of it that `path` names.
    pub(super) fn show_configuration(
        &self,
        line: &str,
        path: &[TypedWord<'_>],
        which: Config,
        pipes: &[Pipe],
    ) -> Answer {
        check_path(line, path)?;
        let path: Vec<&str> = path.iter().map(|word| word.text).collect();
        let device = self.login.switch.device();
        let shown = match which {
            Config::Committed => configuration::committed(&device),
            Config::Candidate => configuration::candidate(&device, self.login.pid),
        };
        let compared =
            pipes.iter().find_map(|pipe| if let Pipe::Compare(number) = pipe { Some(*number) } else { None });
        let text = match compared {
            Some(number) => {
                let message = format!("No previous configuration for rollback {number}");
                let old = device.rollback(number).ok_or_else(|| vec![RpcError::failed(message)])?;
                compare(&part(&old, &path).unwrap_or_default(), &part(&shown.tree, &path).unwrap_or_default())
            }
            None if pipes.contains(&Pipe::DisplaySet) => print_set(&part(&shown.tree, &path).unwrap_or_default()),
            None => braces(&shown, &path),
        };
        Ok(CliOutcome::Text(through(text, pipes)))
    }
}

fn check_path(line: &str, path: &[TypedWord<'_>]) -> Result<(), CliError> {
    let Some(first) = path.first() else {
        return Ok(());
    };
    for word in path {
        follow(&line[first.start..word.end]).map_err(|_| CliError::At(word.start, "syntax error.".to_owned()))?;
    }
    Ok(())
}

/// `node` with nothing in it but what stands under `path`.
fn part(node: &Node, path: &[&str]) -> Option<Node> {
    let Some((word, rest)) = path.split_first() else {
        return Some(node.clone());
    };
    let only = part(node.child(word)?, rest)?;
    Some(Node { children: vec![Arc::new(only)], ..node.clone() })
}

/// The text form: of the whole with the comment above, of a part without the statements around it.
fn braces(shown: &Shown, path: &[&str]) -> String {
    let Some((last, above)) = path.split_last() else {
        return format!("{}{}", shown.header, print_block(At::top(), &shown.tree.children, 0));
    };
    let Some((around, node)) = shown.tree.find(above).and_then(|around| Some((around, around.child(last)?))) else {
        return String::new();
    };
    let step = |at: At<'static>, word: &&str| at.step(word).unwrap_or(At::Open);
    let outer = above.iter().fold(At::top(), step);
    match step(outer, last) {
        inner @ (At::Block(_) | At::Open) if !node.children.is_empty() => print_block(inner, &node.children, 0),
        _ => {
            let mut out = String::new();
            print_statement(&mut out, outer, around.child(last).unwrap_or(node), 0);
            out
        }
    }
}

/// `show version`.
pub(crate) fn version(switch: &Switch) -> String {
    let model = &switch.model;
    let (product, release) = (model.product, &model.release);
    format!(
        "fpc0:\n{}\nHostname: {}\nModel: {product}\nJunos: {release}\nJUNOS EX  Software Suite [{release}]\n",
        "-".repeat(74),
        model.host_name,
    )
}

/// `show system commit`.
pub(crate) fn commits(switch: &Switch) -> String {
    let device = switch.device();
    let marked = device.deadline().is_some() && switch.model.marks_pending();
    let entry = |(number, commit): (usize, &crate::sim::device::history::Commit)| {
        let notes = [&commit.comment, &commit.log].into_iter().flatten();
        let mut notes: String = notes.map(|note| format!("    {note}\n")).collect();
        if number == 0 && marked {
            notes.push_str("    rollback pending\n");
        }
        let when = time::shown(commit.at_ms);
        format!("{number:<3} {when} by {} via {}\n{notes}", commit.user, commit.client)
    };
    device.history.iter().enumerate().map(entry).collect()
}
