//! Printing the configuration in braces.

use super::lex::quote;
use super::schema::{Kind, Rule};
use super::tree::{At, Node};

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
    let head = format!("{}{}", mark(node), quote(&node.word));
    match next {
        At::Key(rule) if rule.block => braces(out, &head, next, node, depth),
        At::Key(rule) => entries(out, &head, rule, node, depth),
        At::Value(_) => line(out, depth, &format!("{head}{}", values(node))),
        At::Open => open(out, head, node, depth),
        At::Block(rule) if rule.one_line && rule.kind != Kind::List => flat(out, &head, rule, node, depth),
        At::Block(rule) if rule.prefix && !node.inactive && !node.children.is_empty() => {
            prefixed(out, &head, next, node, depth);
        }
        At::Block(_) | At::End => braces(out, &head, next, node, depth),
    }
}

fn mark(node: &Node) -> &'static str {
    if node.inactive { "inactive: " } else { "" }
}

fn line(out: &mut String, depth: usize, text: &str) {
    out.push_str(&"    ".repeat(depth));
    out.push_str(text);
    out.push_str(if text.contains("$9$") || text.contains("$1$") || text.contains("$6$") {
        "; ## SECRET-DATA\n"
    } else {
        ";\n"
    });
}

fn braces(out: &mut String, head: &str, at: At<'_>, node: &Node, depth: usize) {
    if node.children.is_empty() {
        return line(out, depth, head);
    }
    if let Some(only) = on_one_line(at, node) {
        return line(out, depth, &format!("{head} {only}"));
    }
    let indent = "    ".repeat(depth);
    out.push_str(&format!("{indent}{head} {{\n{}{indent}}}\n", print_block(at, &node.children, depth + 1)));
}

/// The statements of a block whose keyword stands before each.
fn prefixed(out: &mut String, head: &str, at: At<'_>, node: &Node, depth: usize) {
    for child in &node.children {
        let head = format!("{}{head} {}", mark(child), quote(&child.word));
        braces(out, &head, at.step(&child.word).unwrap_or(At::Open), child, depth);
    }
}

/// The only statement of a block, where the grammar puts such a block on one line.
fn on_one_line(at: At<'_>, node: &Node) -> Option<String> {
    let ([only], At::Block(Rule { short: true, .. })) = (node.children.as_slice(), at) else {
        return None;
    };
    match at.step(&only.word).unwrap_or(At::Open) {
        _ if only.inactive => None,
        At::Value(_) | At::End => Some(format!("{}{}", quote(&only.word), values(only))),
        At::Open => chain(only),
        At::Block(rule) if rule.one_line => one_line(rule, only).map(|leaves| format!("{}{leaves}", quote(&only.word))),
        At::Block(_) | At::Key(_) => None,
    }
}

/// The words of a branch that never forks.
fn chain(node: &Node) -> Option<String> {
    match node.children.as_slice() {
        [] => Some(quote(&node.word)),
        [only] if !only.inactive => Some(format!("{} {}", quote(&node.word), chain(only)?)),
        _ => None,
    }
}

fn entries(out: &mut String, head: &str, rule: &Rule, node: &Node, depth: usize) {
    for entry in &node.children {
        let head = format!("{}{head} {}", mark(entry), quote(&entry.word));
        flat(out, &head, rule, entry, depth);
    }
}

/// On one line where the grammar says so and nothing in it needs a line of its own.
fn flat(out: &mut String, head: &str, rule: &Rule, node: &Node, depth: usize) {
    match one_line(rule, node).filter(|_| rule.one_line) {
        Some(leaves) => line(out, depth, &format!("{head}{leaves}")),
        None => braces(out, head, At::Block(rule), node, depth),
    }
}

/// ` vlan V mac M`, in the order of the grammar; `None` where a line cannot say all of it.
pub(crate) fn one_line(rule: &Rule, entry: &Node) -> Option<String> {
    let of = |leaf| entry.children.iter().filter(move |child| rule.belongs(leaf, &child.word));
    let leaves: Vec<_> = rule.children.iter().flat_map(of).collect();
    let whole = leaves.len() == entry.children.len() && !leaves.iter().any(|leaf| leaf.inactive);
    whole.then(|| leaves.iter().map(|leaf| format!(" {}{}", quote(&leaf.word), values(leaf))).collect())
}

fn values(node: &Node) -> String {
    let words: Vec<String> = node.children.iter().map(|value| quote(&value.word)).collect();
    match words.as_slice() {
        [] => String::new(),
        [one] => format!(" {one}"),
        many => format!(" [ {} ]", many.join(" ")),
    }
}

/// Outside the grammar a chain of only children stands on one line.
fn open(out: &mut String, head: String, node: &Node, depth: usize) {
    match node.children.as_slice() {
        [only] if !only.inactive => open(out, format!("{head} {}", quote(&only.word)), only, depth),
        _ => braces(out, &head, At::Open, node, depth),
    }
}
