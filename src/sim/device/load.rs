//! Loading into a candidate.

use std::sync::Arc;

use super::reply_error::RpcError;
use super::{Device, Refused};
use crate::sim::config::apply::apply;
use crate::sim::config::edit::{Edit, SyntaxError, edit_path};
use crate::sim::config::tree::Node;
use crate::sim::time::Millis;

/// How what is loaded meets what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// `merge`, `replace` and `set`: the statements say themselves what happens to them.
    Merge,
    /// `override` and `update`: what is loaded is the whole configuration.
    Override,
}

/// A parsed load request.
#[derive(Debug)]
pub(crate) struct Load {
    pub action: Action,
    pub edits: Vec<Edit>,
    pub errors: Vec<SyntaxError>,
    /// Whether warnings carry the path and the statement, as the XML and brace forms' do.
    pub located: bool,
}

impl Device {
    /// Applies what can be applied, and returns the warnings and errors to report.
    pub(crate) fn load(&mut self, pid: u32, load: &Load, now: Millis) -> Result<Vec<RpcError>, Refused> {
        self.may_edit(pid, now)?;
        let before = self.candidate_of(pid);
        let mut tree = match load.action {
            Action::Merge => (*before).clone(),
            Action::Override => Node::default(),
        };
        let applied = apply(&mut tree, &load.edits);
        let broken_override = load.action == Action::Override && !load.errors.is_empty();
        if !broken_override {
            self.replace_candidate(pid, Arc::new(tree), load.edits.clone(), now);
        }
        let mut report: Vec<RpcError> = applied.missing.iter().map(|path| not_found(path, load.located)).collect();
        report.extend(applied.kept.iter().map(|kept| RpcError::warning(&kept.message())));
        report.extend(load.errors.iter().map(RpcError::syntax));
        Ok(report)
    }

    /// `load rollback N`; number 0 throws the changes away.
    pub(crate) fn load_rollback(&mut self, pid: u32, number: usize, now: Millis) -> Result<(), Refused> {
        self.may_edit(pid, now)?;
        let Some(tree) = self.rollback(number) else {
            return Err(vec![RpcError::failed(format!("No previous configuration for rollback {number}"))]);
        };
        match (number, self.sessions.get_mut(&pid).and_then(|session| session.private.as_mut())) {
            (0, None) => self.reset_candidate(),
            (0, Some(private)) => (private.tree, private.edits) = (tree, Vec::new()),
            (_, None) => self.replace_candidate(pid, tree, Vec::new(), now),
            (_, Some(_)) => {
                return Err(vec![RpcError::failed("rollback not supported for private configuration")]);
            }
        }
        Ok(())
    }

    fn replace_candidate(&mut self, pid: u32, tree: Arc<Node>, edits: Vec<Edit>, now: Millis) {
        if let Some(private) = self.sessions.get_mut(&pid).and_then(|session| session.private.as_mut()) {
            private.tree = tree;
            private.edits.extend(edits);
            return;
        }
        if *tree != *self.candidate {
            self.candidate = tree;
            self.dirty = true;
            self.changed_at = now;
        }
    }

    fn may_edit(&self, pid: u32, now: Millis) -> Result<(), Refused> {
        let own_copy = self.sessions.get(&pid).is_some_and(|session| session.private.is_some());
        if own_copy {
            return Ok(());
        }
        self.nobody_else_holds(pid, now)?;
        let others = self.sessions.iter().any(|(other, session)| *other != pid && session.private.is_some());
        if others && self.locked_by.is_none() {
            let advice = "private edits in use. Try 'configure private' or 'configure exclusive'";
            return Err(vec![RpcError::failed(advice)]);
        }
        Ok(())
    }
}

fn not_found(path: &[crate::sim::config::tree::Word], located: bool) -> RpcError {
    match path.split_last() {
        Some((last, above)) if located => {
            RpcError { path: Some(edit_path(above)), ..RpcError::warning(&format!("statement not found: {last}")) }
        }
        _ => RpcError::warning("statement not found"),
    }
}
