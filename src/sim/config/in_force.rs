//! What of a configuration takes effect: what is marked inactive does not, and what groups and interface ranges give does.

use std::sync::Arc;

use super::inherit::inherited;
use super::tree::Node;

/// The configuration as the switch's daemons see it.
pub(crate) fn in_force(tree: &Node) -> Node {
    inherited(&active(tree))
}

/// A copy of `tree` without inactive statements and everything below them.
pub(crate) fn active(tree: &Node) -> Node {
    Node { children: tree.active_children().map(pruned).collect(), ..tree.clone() }
}

fn pruned(node: &Arc<Node>) -> Arc<Node> {
    if holds_inactive(node) { Arc::new(active(node)) } else { node.clone() }
}

fn holds_inactive(node: &Node) -> bool {
    node.children.iter().any(|child| child.inactive || holds_inactive(child))
}

#[cfg(test)]
mod tests {
    use super::super::set_lines::parse_any;
    use crate::sim::device::commit_check::{DuplicateScope, bindings, check};

    const TWICE: &str = "set ethernet-switching-options secure-access-port interface ge-0/0/1.0 static-ip 10.0.0.1 vlan V mac 02:00:00:00:00:01
set ethernet-switching-options secure-access-port interface ge-0/0/1.0 static-ip 10.0.0.2 vlan V mac 02:00:00:00:00:01
";

    #[test]
    fn an_inactive_binding_is_no_duplicate_wherever_the_mark_stands() {
        assert!(!check(&parse_any(TWICE).unwrap(), DuplicateScope::Interface).is_empty());
        for (path, left) in [
            ("secure-access-port interface ge-0/0/1.0 static-ip 10.0.0.2", 1),
            ("secure-access-port interface ge-0/0/1.0", 0),
            ("secure-access-port", 0),
        ] {
            let tree = parse_any(&format!("{TWICE}deactivate ethernet-switching-options {path}\n")).unwrap();
            assert_eq!(check(&tree, DuplicateScope::Interface), [], "{path}");
            assert_eq!(bindings(&tree).len(), left, "{path}");
        }
    }

    #[test]
    fn a_binding_of_a_group_is_in_force_where_the_group_is_applied() {
        let given = TWICE.replace("set ", "set groups G ");
        let of = |more: &str| bindings(&parse_any(&format!("{given}{more}")).unwrap()).len();
        assert_eq!(of(""), 0);
        assert_eq!(of("set apply-groups G\n"), 2);
        assert_eq!(of("set apply-groups G\ndeactivate apply-groups\n"), 0);
        assert_eq!(of("set apply-groups G\ndeactivate groups G\n"), 0);
    }
}
