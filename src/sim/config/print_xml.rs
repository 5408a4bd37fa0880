//! Printing the XML form of the configuration.

use super::print_text::annotations;
use super::schema::{Kind, Rule};
use super::tree::{At, Node};
use crate::sim::xml::escape;

/// Holds a word that can be no element's name, where no element is there to be its key.
pub(crate) const KEYS_ONLY: &str = "undocumented";

/// Prints the statements of `tree`, without the `configuration` element around them.
pub(crate) fn print_xml(tree: &Node) -> String {
    let mut out = String::new();
    print_block(&mut out, At::top(), &tree.children, 1);
    out
}

fn print_block(out: &mut String, at: At<'_>, children: &[std::sync::Arc<Node>], depth: usize) {
    children.iter().for_each(|child| print(out, at, child, depth));
}

fn print(out: &mut String, at: At<'_>, node: &Node, depth: usize) {
    let next = at.step(&node.word).unwrap_or(At::Open);
    let (known, hidden) = match at {
        At::Block(block) => (block.child(&node.word), block.hidden()),
        _ => (None, None),
    };
    let tag = known.map_or(&*node.word, |rule| &rule.tag);
    if known.is_some() && matches!(next, At::Key(_) | At::Value(_)) {
        annotation(out, node, depth);
    }
    match (known, hidden, next) {
        (None, Some(bare), _) if bare.kind == Kind::Leaf => {
            annotation(out, node, depth);
            leaf(out, node, &bare.tag, &node.word, depth);
        }
        (None, Some(list), _) => entry(out, list, node, depth),
        (_, _, At::Key(list)) => node.children.iter().for_each(|key| entry(out, list, key, depth)),
        (_, _, At::Value(_)) => node.children.iter().for_each(|value| leaf(out, node, tag, &value.word, depth)),
        (None, None, _) | (_, _, At::Open) => open(out, node, depth),
        (Some(_), _, At::End) => flag(out, node, depth),
        (Some(_), _, At::Block(_)) => {
            start(out, tag, node, depth);
            print_block(out, next, &node.children, depth + 1);
            end(out, tag, depth);
        }
    }
}

fn entry(out: &mut String, list: &Rule, node: &Node, depth: usize) {
    start(out, &list.name, node, depth);
    name(out, &node.word, depth + 1);
    print_block(out, At::Block(list), &node.children, depth + 1);
    end(out, &list.name, depth);
}

fn open(out: &mut String, node: &Node, depth: usize) {
    if !is_name(&node.word) {
        return keyed(out, KEYS_ONLY, node, depth);
    }
    let said = node.inactive || node.protected || node.annotation.is_some();
    let values = node.children.as_slice();
    if values.is_empty() {
        return flag(out, node, depth);
    }
    if !said && values.iter().all(|child| child.children.is_empty()) {
        return values.iter().for_each(|value| {
            annotation(out, value, depth);
            leaf(out, value, &node.word, &value.word, depth);
        });
    }
    if said {
        return whole(out, node, node, values, depth);
    }
    for run in values.chunk_by(|a, b| is_name(&a.word) && is_name(&b.word)) {
        match run {
            [key] if !is_name(&key.word) => keyed(out, &node.word, key, depth),
            words => whole(out, node, &Node::default(), words, depth),
        }
    }
}

/// The element of `node` with `children`; what is said of it is what `said` has.
fn whole(out: &mut String, node: &Node, said: &Node, children: &[std::sync::Arc<Node>], depth: usize) {
    start(out, &node.word, said, depth);
    children.iter().for_each(|child| open(out, child, depth + 1));
    end(out, &node.word, depth);
}

fn keyed(out: &mut String, tag: &str, key: &Node, depth: usize) {
    start(out, tag, key, depth);
    name(out, &key.word, depth + 1);
    key.children.iter().for_each(|child| open(out, child, depth + 1));
    end(out, tag, depth);
}

fn is_name(word: &str) -> bool {
    let plain = word.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    plain && word.starts_with(|c: char| c.is_ascii_lowercase()) && !matches!(word, "name" | KEYS_ONLY)
}

fn indent(depth: usize) -> String {
    "    ".repeat(depth)
}

fn mark(node: &Node) -> &'static str {
    match (node.inactive, node.protected) {
        (false, false) => "",
        (true, false) => " inactive=\"inactive\"",
        (false, true) => " protect=\"protect\"",
        (true, true) => " inactive=\"inactive\" protect=\"protect\"",
    }
}

/// Annotations stand in elements of their own, before what they are about.
fn annotation(out: &mut String, node: &Node, depth: usize) {
    for text in annotations(node) {
        out.push_str(&format!("{}<junos:comment>{}</junos:comment>\n", indent(depth), escape(text)));
    }
}

fn start(out: &mut String, tag: &str, node: &Node, depth: usize) {
    annotation(out, node, depth);
    out.push_str(&format!("{}<{tag}{}>\n", indent(depth), mark(node)));
}

fn end(out: &mut String, tag: &str, depth: usize) {
    out.push_str(&format!("{}</{tag}>\n", indent(depth)));
}

fn flag(out: &mut String, node: &Node, depth: usize) {
    annotation(out, node, depth);
    out.push_str(&format!("{}<{}{}/>\n", indent(depth), node.word, mark(node)));
}

fn name(out: &mut String, key: &str, depth: usize) {
    out.push_str(&format!("{}<name>{}</name>\n", indent(depth), escape(key)));
}

fn leaf(out: &mut String, node: &Node, tag: &str, value: &str, depth: usize) {
    out.push_str(&format!("{}<{tag}{}>{}</{tag}>\n", indent(depth), mark(node), escape(value)));
}
