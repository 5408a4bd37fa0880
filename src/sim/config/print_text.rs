//! Printing the configuration in braces.

use super::lex::{SECRET, quote};
use super::schema::{Kind, Rule};
use super::tree::{At, Layout, Node};

/// Prints `tree` in braces.
pub(crate) fn print_text(tree: &Node) -> String {
    print_block(At::top(), &tree.children, 0)
}

/// Prints the statements of one block, `depth` levels in.
pub(crate) fn print_block(at: At<'_>, children: &[std::sync::Arc<Node>], depth: usize) -> String {
    let mut out = String::new();
    children.iter().for_each(|child| print_statement(&mut out, at, child, depth));
    out
}

/// Prints one statement of the block at `at`.
pub(crate) fn print_statement(out: &mut String, at: At<'_>, node: &Node, depth: usize) {
    let next = at.step(&node.word).unwrap_or(At::Open);
    let head = shown(node);
    match next {
        At::Key(rule) if !rule.block && node.hints.layout != Layout::Braces => entries(out, &head, rule, node, depth),
        At::Value(_) => line(out, depth, node, &format!("{head}{}", values(node))),
        At::Open => open(out, &head, node, depth),
        At::Block(rule) if rule.one_line && rule.kind != Kind::List => flat(out, &head, rule, node, depth),
        At::Block(rule) if rule.prefix && is_bare(node) && !node.children.is_empty() => {
            prefixed(out, &head, next, node, depth);
        }
        At::Block(_) | At::Key(_) | At::End => braces(out, &head, next, node, depth),
    }
}

/// The word as it was written, or as it is printed.
fn shown(node: &Node) -> String {
    node.hints.raw.as_ref().map_or_else(|| quote(&node.word), |raw| raw.to_string())
}

/// Whether nothing is said of the statement that needs a line of its own.
fn is_bare(node: &Node) -> bool {
    !node.inactive && !node.protected && node.annotation.is_none() && node.hints.remark.is_none()
}

/// Annotations, the indentation and the mark of a statement.
fn start(out: &mut String, depth: usize, node: &Node) {
    let indent = "    ".repeat(depth);
    for comment in annotations(node).chain(node.hints.remark.iter().flat_map(|remark| remark.lines())) {
        out.push_str(&format!("{indent}{comment}\n"));
    }
    let mark = |marked, mark| if marked { mark } else { "" };
    out.push_str(&format!("{indent}{}{}", mark(node.protected, "protect: "), mark(node.inactive, "inactive: ")));
}

/// Each annotation of a statement with its marks.
pub(crate) fn annotations(node: &Node) -> impl Iterator<Item = &str> {
    let mut rest = node.annotation.as_deref().unwrap_or_default();
    std::iter::from_fn(move || {
        let end = match rest.starts_with('#') {
            true => rest.find('\n'),
            false => rest.find("*/").map(|at| at + 2),
        };
        let (annotation, after) = rest.split_at(end.unwrap_or(rest.len()));
        rest = after.trim_start();
        (!annotation.is_empty()).then_some(annotation)
    })
}

fn line(out: &mut String, depth: usize, node: &Node, text: &str) {
    start(out, depth, node);
    out.push_str(text);
    out.push(';');
    if ["$9$", "$1$", "$5$", "$6$", "$8$"].iter().any(|hash| text.contains(hash)) || holds_secret(node) {
        out.push(' ');
        out.push_str(SECRET);
    }
    out.push('\n');
}

fn holds_secret(node: &Node) -> bool {
    node.hints.secret || node.children.iter().any(|child| holds_secret(child))
}

fn braces(out: &mut String, head: &str, at: At<'_>, node: &Node, depth: usize) {
    if node.children.is_empty() {
        return line(out, depth, node, head);
    }
    if let Some(only) = on_one_line(at, node) {
        return line(out, depth, node, &format!("{head} {only}"));
    }
    start(out, depth, node);
    let indent = "    ".repeat(depth);
    out.push_str(&format!("{head} {{\n{}{indent}}}\n", print_block(at, &node.children, depth + 1)));
}

/// The statements of a block whose keyword stands before each.
fn prefixed(out: &mut String, head: &str, at: At<'_>, node: &Node, depth: usize) {
    for child in &node.children {
        let head = format!("{head} {}", shown(child));
        match at.step(&child.word).unwrap_or(At::Open) {
            At::Open => open(out, &head, child, depth),
            next => braces(out, &head, next, child, depth),
        }
    }
}

/// The only statement of a block, where the grammar, or whoever wrote it, puts such a block on one line.
fn on_one_line(at: At<'_>, node: &Node) -> Option<String> {
    let ([only], At::Block(block)) = (node.children.as_slice(), at) else {
        return None;
    };
    let together = (block.short || node.hints.layout == Layout::Line) && is_bare(only);
    match at.step(&only.word).unwrap_or(At::Open) {
        _ if !together => None,
        At::Value(_) | At::End => Some(format!("{}{}", shown(only), values(only))),
        At::Open => chain(only),
        At::Block(rule) if rule.one_line => one_line(rule, only).map(|leaves| format!("{}{leaves}", shown(only))),
        At::Block(_) | At::Key(_) => None,
    }
}

/// The words of a branch that never forks.
fn chain(node: &Node) -> Option<String> {
    match node.children.as_slice() {
        [] => Some(shown(node)),
        _ if in_brackets(node) => Some(format!("{}{}", shown(node), values(node))),
        [only] if is_bare(only) && node.hints.layout != Layout::Braces => {
            Some(format!("{} {}", shown(node), chain(only)?))
        }
        _ => None,
    }
}

fn entries(out: &mut String, head: &str, rule: &Rule, node: &Node, depth: usize) {
    for entry in &node.children {
        let (inactive, protected) = (entry.inactive || node.inactive, entry.protected || node.protected);
        let entry = Node { inactive, protected, ..(**entry).clone() };
        flat(out, &format!("{head} {}", shown(&entry)), rule, &entry, depth);
    }
}

/// On one line where the grammar says so and nothing in it needs a line of its own.
fn flat(out: &mut String, head: &str, rule: &Rule, node: &Node, depth: usize) {
    match one_line(rule, node).filter(|_| rule.one_line) {
        Some(leaves) => line(out, depth, node, &format!("{head}{leaves}")),
        None => braces(out, head, At::Block(rule), node, depth),
    }
}

/// ` vlan V mac M`, in the order of the grammar; `None` where a line cannot say all of it.
pub(crate) fn one_line(rule: &Rule, entry: &Node) -> Option<String> {
    let of = |leaf| entry.children.iter().filter(move |child| rule.belongs(leaf, &child.word));
    let leaves: Vec<_> = rule.children.iter().flat_map(of).collect();
    let whole = leaves.len() == entry.children.len() && leaves.iter().all(|leaf| is_bare(leaf));
    whole.then(|| leaves.iter().map(|leaf| format!(" {}{}", shown(leaf), values(leaf))).collect())
}

fn values(node: &Node) -> String {
    let words: Vec<String> = node.children.iter().map(|value| shown(value)).collect();
    match words.as_slice() {
        [] => String::new(),
        [one] if node.hints.layout != Layout::LoneInBrackets => format!(" {one}"),
        many => format!(" [ {} ]", many.join(" ")),
    }
}

/// Outside the grammar statements are written as they were loaded, or a chain of only children on one line.
fn open(out: &mut String, head: &str, node: &Node, depth: usize) {
    let children = node.children.as_slice();
    match node.hints.layout {
        _ if children.is_empty() => line(out, depth, node, head),
        _ if in_brackets(node) => line(out, depth, node, &format!("{head}{}", values(node))),
        Layout::Line | Layout::Unknown if is_bare(node) && follows(node) => {
            children.iter().for_each(|child| open(out, &format!("{head} {}", shown(child)), child, depth));
        }
        _ => braces(out, head, At::Open, node, depth),
    }
}

fn follows(node: &Node) -> bool {
    node.hints.layout == Layout::Line || node.children.len() == 1
}

/// Whether the statement is a list of values and was written as one.
fn in_brackets(node: &Node) -> bool {
    let is_value = |child: &Node| child.children.is_empty() && is_bare(child);
    matches!(node.hints.layout, Layout::Brackets | Layout::LoneInBrackets)
        && node.children.iter().all(|child| is_value(child))
}
