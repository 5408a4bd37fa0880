//! Subtree filters of `get-configuration` and `get-config`: which part of the configuration a client asks for.

use std::sync::Arc;

use super::schema::Rule;
use super::tree::{At, Node};
use crate::sim::xml::Element;

/// The part of `tree` that the `configuration` element of a request selects; all of it when that element is empty.
pub(crate) fn select(tree: &Node, configuration: &Element) -> Node {
    block(At::top(), tree, &configuration.children).unwrap_or_default()
}

/// `None` when nothing below was selected.
fn block(at: At<'_>, node: &Node, wanted: &[Element]) -> Option<Node> {
    let wanted: Vec<&Element> = wanted.iter().filter(|element| element.name != "name").collect();
    let rule = match at {
        At::Block(rule) if !wanted.is_empty() => rule,
        _ => return Some(node.clone()),
    };
    let mut picked = Node { children: Vec::new(), ..node.clone() };
    wanted.iter().for_each(|element| pick(rule, node, element, &mut picked));
    (!picked.children.is_empty()).then_some(picked)
}

fn pick(rule: &Rule, node: &Node, element: &Element, picked: &mut Node) {
    match (rule.element(&element.name), rule.hidden()) {
        (None, Some(list)) if list.name == element.name => {
            let keys = node.children.iter().filter(|child| rule.child(&child.word).is_none());
            picked.children.extend(entries(list, keys, element));
        }
        _ => pick_named(node, element, At::Block(rule), picked),
    }
}

fn pick_named(node: &Node, element: &Element, at: At<'_>, picked: &mut Node) {
    let word = match at {
        At::Block(rule) => rule.element(&element.name).map_or(element.name.as_str(), |rule| &rule.name),
        _ => &element.name,
    };
    let Some(found) = node.child(word) else {
        return;
    };
    let part = match at.step(word) {
        Some(At::Key(list)) => {
            let children: Vec<_> = entries(list, found.children.iter(), element).collect();
            (!children.is_empty()).then(|| Node { children, ..(**found).clone() })
        }
        Some(next) => block(next, found, &element.children),
        None => None,
    };
    let Some(part) = part else { return };
    match picked.children.iter_mut().find(|child| child.word == part.word) {
        Some(there) => Arc::make_mut(there).children.extend(part.children),
        None => picked.children.push(Arc::new(part)),
    }
}

fn entries<'a>(
    list: &'a Rule,
    keys: impl Iterator<Item = &'a Arc<Node>> + 'a,
    element: &'a Element,
) -> impl Iterator<Item = Arc<Node>> + 'a {
    let key = element.child_text("name").filter(|key| !key.is_empty());
    keys.filter(move |entry| key.is_none_or(|key| key == &*entry.word))
        .filter_map(move |entry| block(At::Block(list), entry, &element.children).map(Arc::new))
}

#[cfg(test)]
mod tests {
    use super::super::print_text;
    use super::super::set_lines;
    use super::*;
    use crate::sim::xml;

    fn picked(filter: &str) -> String {
        let tree = set_lines::parse_any(
            "set system host-name a\nset vlans V1 vlan-id 1\nset vlans V2 vlan-id 2\nset system services ssh root-login deny",
        );
        let filter = xml::parse(&format!("<configuration>{filter}</configuration>")).unwrap();
        print_text::print_text(&select(&tree.unwrap(), &filter))
    }

    #[test]
    fn a_filter_picks_blocks_entries_and_leaves() {
        assert_eq!(picked("<system><host-name/></system>"), "system {\n    host-name a;\n}\n");
        assert_eq!(
            picked("<vlans><vlan><name>V2</name></vlan></vlans>"),
            "vlans {\n    V2 {\n        vlan-id 2;\n    }\n}\n"
        );
        assert_eq!(picked("<snmp/>"), "");
        assert!(picked("<vlans><vlan><vlan-id/></vlan></vlans>").contains("V1"));
        assert!(picked("").contains("root-login"));
    }
}
