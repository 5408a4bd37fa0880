//! Applying edits to a configuration.

use super::edit::{Edit, Op};
use super::protect::{self, Kept};
use super::tree::{Layout, Node, Word};

/// What became of a list of edits.
#[derive(Debug, Default)]
pub(crate) struct Applied {
    pub changed: bool,
    /// Statements to delete that were not there.
    pub missing: Vec<Vec<Word>>,
    /// What was left as it is because it is protected.
    pub kept: Vec<Kept>,
}

/// Applies `edits` one by one.
pub(crate) fn apply(tree: &mut Node, edits: &[Edit]) -> Applied {
    let mut applied = Applied::default();
    for edit in edits {
        if let Some(kept) = protect::keeps(tree, edit) {
            applied.kept.extend(kept);
            continue;
        }
        let found = apply_one(tree, edit);
        applied.changed |= found;
        let named = matches!(edit.op, Op::Delete | Op::Deactivate | Op::Activate | Op::Protect | Op::Unprotect);
        if !found && named {
            applied.missing.push(edit.path.clone());
        }
    }
    applied
}

fn apply_one(tree: &mut Node, edit: &Edit) -> bool {
    match edit.op {
        Op::Set => tree.set(&edit.path),
        Op::Delete => tree.delete(&edit.path),
        Op::Deactivate => tree.change(&edit.path, |node| node.inactive = true),
        Op::Activate => tree.change(&edit.path, |node| node.inactive = false),
        Op::Protect => tree.change(&edit.path, |node| node.protected = true),
        Op::Unprotect => tree.change(&edit.path, |node| node.protected = false),
        Op::Line => tree.change(&edit.path, |node| node.hints.layout = Layout::Line),
        Op::Brace => tree.change(&edit.path, |node| node.hints.layout = Layout::Braces),
        Op::Bracket => tree.change(&edit.path, |node| node.hints.layout = Layout::Brackets),
        Op::LoneBracket => tree.change(&edit.path, |node| node.hints.layout = Layout::LoneInBrackets),
        Op::Secret => tree.change(&edit.path, |node| node.hints.secret = true),
        Op::Annotate => with_text(tree, &edit.path, |node, text| {
            node.annotation = Some(text.clone()).filter(|text| !text.is_empty());
        }),
        Op::Spell => with_text(tree, &edit.path, |node, text| node.hints.raw = Some(text.clone())),
        Op::Remark => with_text(tree, &edit.path, |node, text| node.hints.remark = Some(text.clone())),
        Op::Replace => {
            tree.delete(&edit.path);
            tree.set(&edit.path)
        }
    }
}

fn with_text(tree: &mut Node, path: &[Word], change: impl FnOnce(&mut Node, &Word)) -> bool {
    path.split_last().is_some_and(|(text, path)| tree.change(path, |node| change(node, text)))
}
