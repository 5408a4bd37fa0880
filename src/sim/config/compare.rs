//! What differs between two configurations, in the form `show | compare` prints.

use std::sync::Arc;

use super::print_text::print_statement;
use super::tree::{At, Node};

/// The difference as `[edit ...]` blocks with `-` and `+` lines; empty when there is none.
pub(crate) fn compare(old: &Node, new: &Node) -> String {
    let mut out = String::new();
    block(&mut out, At::top(), old, new, "", 0);
    out
}

fn block(out: &mut String, at: At<'_>, old: &Node, new: &Node, path: &str, depth: usize) {
    let mut lines = String::new();
    let mut deeper = Vec::new();
    for before in &old.children {
        match new.child(&before.word) {
            None => changed(&mut lines, '-', at, before, depth),
            Some(after) if after == before => {}
            Some(after) => pair(&mut lines, &mut deeper, at, before, after, depth),
        }
    }
    for after in new.children.iter().filter(|after| old.child(&after.word).is_none()) {
        changed(&mut lines, '+', at, after, depth);
    }
    if !lines.is_empty() {
        out.push_str(&format!("[edit{path}]\n{lines}"));
    }
    for (next, before, after) in deeper {
        block(out, next, &before, &after, &format!("{path} {}", after.word), depth + 1);
    }
}

type Deeper<'a> = Vec<(At<'a>, Arc<Node>, Arc<Node>)>;

fn pair<'a>(lines: &mut String, deeper: &mut Deeper<'a>, at: At<'a>, old: &Arc<Node>, new: &Arc<Node>, depth: usize) {
    let next = at.step(&new.word).unwrap_or(At::Open);
    let replaced = old.inactive != new.inactive || matches!(next, At::Value(_) | At::Open | At::End);
    if replaced {
        changed(lines, '-', at, old, depth);
        changed(lines, '+', at, new, depth);
        return;
    }
    match next {
        At::Key(rule) => list(lines, deeper, at, (old, new), depth, rule.one_line),
        At::Block(rule) if rule.prefix => list(lines, deeper, at, (old, new), depth, false),
        _ => deeper.push((next, old.clone(), new.clone())),
    }
}

/// Entries of a list are statements of the block that holds the list; so is what a repeated keyword stands before.
fn list<'a>(
    lines: &mut String,
    deeper: &mut Deeper<'a>,
    at: At<'a>,
    pair: (&Arc<Node>, &Arc<Node>),
    depth: usize,
    flat: bool,
) {
    let (old, new) = pair;
    let alone = |entry: &Arc<Node>| Node { children: vec![entry.clone()], ..Node::leaf(&new.word) };
    for before in &old.children {
        match new.child(&before.word) {
            Some(after) if after == before => {}
            Some(after) if !flat && after.inactive == before.inactive => {
                let next = at.step(&new.word).and_then(|key| key.step(&after.word)).unwrap_or(At::Open);
                deeper.push((next, renamed(new, before), renamed(new, after)));
            }
            Some(after) => {
                changed(lines, '-', at, &alone(before), depth);
                changed(lines, '+', at, &alone(after), depth);
            }
            None => changed(lines, '-', at, &alone(before), depth),
        }
    }
    for after in new.children.iter().filter(|after| old.child(&after.word).is_none()) {
        changed(lines, '+', at, &alone(after), depth);
    }
}

/// An entry under the name its path shows: keyword and key.
fn renamed(list: &Node, entry: &Node) -> Arc<Node> {
    Arc::new(Node { word: format!("{} {}", list.word, entry.word).into(), ..entry.clone() })
}

fn changed(lines: &mut String, sign: char, at: At<'_>, node: &Node, depth: usize) {
    let mut text = String::new();
    print_statement(&mut text, at, node, 0);
    let margin = " ".repeat((4 * depth.saturating_sub(1)).saturating_sub(1).max(2));
    for line in text.lines() {
        lines.push_str(&format!("{sign}{margin}{}\n", line.trim_end_matches(" ## SECRET-DATA")));
    }
}
