//! Protected statements: what is marked `protect:` is neither changed nor taken away, and nothing is put into it.

use super::edit::{Edit, Op};
use super::tree::{Node, Word};

/// A change that did not happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kept {
    /// The statement that is marked.
    pub protected: Vec<Word>,
    /// The statement that was to be changed.
    pub statement: Vec<Word>,
    pub deleting: bool,
}

impl Kept {
    /// The warning of a switch.
    pub(crate) fn message(&self) -> String {
        let (protected, statement) = (self.protected.join(" "), self.statement.join(" "));
        let how = if self.deleting { "deleted" } else { "changed" };
        format!("[{protected}] is protected, '{statement}' cannot be {how}")
    }
}

/// What of `edit` a protected statement keeps from happening; `None` where it may happen as a whole. Where a block goes away
/// that holds protected statements, what else is in it goes.
pub(crate) fn keeps(tree: &mut Node, edit: &Edit) -> Option<Vec<Kept>> {
    let deleting = matches!(edit.op, Op::Delete | Op::Replace);
    let kept = |protected: &[Word], statement: &[Word]| Kept {
        protected: protected.to_vec(),
        statement: statement.to_vec(),
        deleting,
    };
    match guardian(tree, &edit.path) {
        Some(_) if matches!(edit.op, Op::Protect | Op::Unprotect) => None,
        Some(length) => {
            Some(if changes(tree, edit) { vec![kept(&edit.path[..length], &edit.path)] } else { Vec::new() })
        }
        None if deleting => {
            let inside = protected_below(tree.find(&edit.path)?, &edit.path);
            (!inside.is_empty()).then(|| {
                tree.change(&edit.path, thin_out);
                inside.iter().map(|path| kept(path, path)).collect()
            })
        }
        None => None,
    }
}

/// How many words of `path` lead to a protected statement.
fn guardian(tree: &Node, path: &[Word]) -> Option<usize> {
    let mut node = tree;
    for (index, word) in path.iter().enumerate() {
        node = node.child(word)?;
        if node.protected {
            return Some(index + 1);
        }
    }
    None
}

/// Whether the edit is more than saying again, or writing in another way, what is there.
fn changes(tree: &Node, edit: &Edit) -> bool {
    match edit.op {
        Op::Set => tree.find(&edit.path).is_none(),
        Op::Delete | Op::Replace | Op::Deactivate | Op::Activate | Op::Annotate => true,
        _ => false,
    }
}

fn protected_below(node: &Node, path: &[Word]) -> Vec<Vec<Word>> {
    let of = |child: &std::sync::Arc<Node>| {
        let path: Vec<Word> = path.iter().cloned().chain([child.word.clone()]).collect();
        if child.protected { vec![path] } else { protected_below(child, &path) }
    };
    node.children.iter().flat_map(of).collect()
}

/// Leaves only what leads to protected statements.
fn thin_out(node: &mut Node) {
    node.children.retain(|child| child.protected || !protected_below(child, &[]).is_empty());
    let open = node.children.iter_mut().filter(|child| !child.protected);
    open.for_each(|child| thin_out(std::sync::Arc::make_mut(child)));
}

#[cfg(test)]
mod tests {
    use super::super::apply::apply;
    use super::super::set_lines::{parse_any, print_set, read_set};

    const SWITCH: &str =
        "set system host-name a\nset system login user ops uid 2000\nset system login user old uid 2001
set snmp location x\nprotect system login user ops\nprotect snmp";

    fn after(lines: &str) -> (String, Vec<String>) {
        let mut tree = parse_any(SWITCH).unwrap();
        let (edits, errors) = read_set(lines);
        assert_eq!(errors, []);
        let applied = apply(&mut tree, &edits);
        (print_set(&tree), applied.kept.iter().map(super::Kept::message).collect())
    }

    #[test]
    fn nothing_in_a_protected_statement_is_changed() {
        let (before, _) = after("");
        for (line, message) in [
            ("set snmp location y", "[snmp] is protected, 'snmp location y' cannot be changed"),
            ("delete snmp", "[snmp] is protected, 'snmp' cannot be deleted"),
            ("deactivate snmp location", "[snmp] is protected, 'snmp location' cannot be changed"),
        ] {
            assert_eq!(after(line), (before.clone(), vec![message.to_owned()]));
        }
        assert_eq!(after("set snmp location x"), (before, Vec::new()), "it says so already");
        assert!(after("unprotect snmp\nset snmp location y").0.contains("location y\n"));
    }

    #[test]
    fn what_holds_a_protected_statement_loses_everything_else() {
        let (left, messages) = after("delete system");
        assert_eq!(
            left,
            "set system login user ops uid 2000\nprotect system login user ops\nset snmp location x\nprotect snmp\n"
        );
        assert_eq!(messages, ["[system login user ops] is protected, 'system login user ops' cannot be deleted"]);
    }
}
