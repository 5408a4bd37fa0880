//! Groups: what they give is written where it belongs. A statement of the configuration's own outranks a group's, a group that
//! is applied further in one that is applied further out, and of one list the group named first.

use std::sync::Arc;

use super::schema::{Kind, Rule, is_wildcard};
use super::tree::{At, Node};

/// Groups and what applies them, which the expanded configuration does not show.
const MECHANISM: [&str; 3] = ["groups", "apply-groups", "apply-groups-except"];

/// What one group says at one place of the configuration.
#[derive(Clone, Copy)]
pub(crate) struct Part<'g> {
    group: &'g str,
    node: &'g Node,
}

/// `tree` with what its groups give, and without the groups.
pub(crate) fn with_groups(tree: &Node) -> Node {
    let groups = tree.active_child("groups").into_iter().flat_map(|groups| groups.active_children());
    let parts: Vec<Part<'_>> = groups.map(|group| Part { group: &group.word, node: group }).collect();
    let applied = tree.child("groups").is_some() || tree.child("apply-groups").is_some();
    if applied { fill(At::top(), tree, &parts, &[]) } else { tree.clone() }
}

/// `node` with the statements that it lacks and `from` has.
pub(crate) fn filled(at: At<'_>, node: &Node, from: &Node) -> Node {
    fill(at, node, &[], &[Part { group: "", node: from }])
}

/// `given` are the parts of all groups at this place, `outer` those that are applied further out.
fn fill(at: At<'_>, node: &Node, given: &[Part<'_>], outer: &[Part<'_>]) -> Node {
    let applied = applied(node, given, outer);
    if let At::Value(rule) = at {
        return value(rule, node, &applied);
    }
    let own = node.children.iter().filter(|child| !MECHANISM.contains(&&*child.word));
    let mut children: Vec<Arc<Node>> = own.cloned().collect();
    if !(matches!(at, At::Open) && is_value(node)) {
        applied.iter().for_each(|part| add_missing(at, &mut children, part.node));
    }
    let children = children.iter().map(|child| filled_child(at, child, given, &applied)).collect();
    Node { children, ..node.clone() }
}

fn filled_child(at: At<'_>, child: &Arc<Node>, given: &[Part<'_>], applied: &[Part<'_>]) -> Arc<Node> {
    if child.inactive {
        return child.clone();
    }
    let next = at.step(&child.word).unwrap_or(At::Open);
    Arc::new(fill(next, child, &below(given, &child.word), &below(applied, &child.word)))
}

/// What is applied at `node`: by its own statement first.
fn applied<'g>(node: &Node, given: &[Part<'g>], outer: &[Part<'g>]) -> Vec<Part<'g>> {
    let (own, except) = (names(node, "apply-groups"), names(node, "apply-groups-except"));
    let local = own.iter().flat_map(|name| given.iter().filter(move |part| part.group == *name));
    local.chain(outer).filter(|part| !except.contains(&part.group)).copied().collect()
}

fn names<'n>(node: &'n Node, keyword: &str) -> Vec<&'n str> {
    let list = node.active_child(keyword).into_iter();
    list.flat_map(|list| list.active_children()).map(|name| &*name.word).collect()
}

/// Statements that only a group has; a wildcard matches what is there and makes nothing.
fn add_missing(at: At<'_>, children: &mut Vec<Arc<Node>>, part: &Node) {
    for child in part.active_children() {
        let word = &*child.word;
        let there = |other: &Arc<Node>| *other.word == *word || outranked(at, &other.word, word);
        if !is_wildcard(word) && !MECHANISM.contains(&word) && !children.iter().any(there) {
            children.push(Arc::new(Node { children: Vec::new(), ..(**child).clone() }));
        }
    }
}

/// Whether both are values of the one leaf whose keyword does not show.
fn outranked(at: At<'_>, own: &str, other: &str) -> bool {
    matches!(at, At::Block(rule) if rule.is_bare_value(own) && rule.is_bare_value(other))
}

fn value(rule: &Rule, node: &Node, applied: &[Part<'_>]) -> Node {
    let mut node = node.clone();
    for part in applied {
        if rule.kind == Kind::Leaf && !node.children.is_empty() {
            break;
        }
        let missing: Vec<_> = part.node.children.iter().filter(|v| node.child(&v.word).is_none()).cloned().collect();
        node.children.extend(missing);
    }
    node
}

/// Outside the grammar: what has only words without anything below is taken for a value that was set.
fn is_value(node: &Node) -> bool {
    !node.children.is_empty() && node.children.iter().all(|child| child.children.is_empty())
}

/// The parts' statements called `word`; those that match it by a wildcard come after.
fn below<'g>(parts: &[Part<'g>], word: &str) -> Vec<Part<'g>> {
    let of = |part: &Part<'g>| {
        let group = part.group;
        let exact = part.node.active_children().filter(|child| &*child.word == word);
        let wild = part.node.active_children().filter(|child| wildcard_matches(&child.word, word));
        exact.chain(wild).map(|node| Part { group, node }).collect::<Vec<_>>()
    };
    parts.iter().flat_map(of).collect()
}

fn wildcard_matches(pattern: &str, word: &str) -> bool {
    is_wildcard(pattern) && matches_pattern(&pattern[1..pattern.len() - 1], word)
}

/// `*`, `?` and `[...]`, as names of groups and members of ranges have them.
pub(crate) fn matches_pattern(pattern: &str, word: &str) -> bool {
    let Some(first) = pattern.chars().next() else {
        return word.is_empty();
    };
    let rest = &pattern[first.len_utf8()..];
    let mut letters = word.chars();
    match (first, rest.split_once(']')) {
        ('*', _) => {
            word.char_indices().map(|(at, _)| at).chain([word.len()]).any(|at| matches_pattern(rest, &word[at..]))
        }
        ('?', _) => letters.next().is_some() && matches_pattern(rest, letters.as_str()),
        ('[', Some((set, rest))) => {
            letters.next().is_some_and(|letter| in_set(set, letter)) && matches_pattern(rest, letters.as_str())
        }
        _ => letters.next() == Some(first) && matches_pattern(rest, letters.as_str()),
    }
}

fn in_set(set: &str, letter: char) -> bool {
    let letters: Vec<char> = set.chars().collect();
    let (letters, wanted) = match letters.split_first() {
        Some(('!' | '^', others)) => (others, false),
        _ => (letters.as_slice(), true),
    };
    let range = letters.windows(3).any(|w| w[1] == '-' && w[0] <= letter && letter <= w[2]);
    (range || letters.contains(&letter)) == wanted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_the_shells_do() {
        for (pattern, word, matches) in [
            ("*", "ge-0/0/1", true),
            ("ge-*", "xe-0/0/1", false),
            ("ge-0/0/[1-3]", "ge-0/0/2", true),
            ("ge-0/0/[!1-3]", "ge-0/0/2", false),
            ("ge-?/0/*", "ge-1/0/40", true),
            ("ge-0/0/1", "ge-0/0/10", false),
        ] {
            assert_eq!(matches_pattern(pattern, word), matches, "{pattern} {word}");
        }
    }
}
