//! The configuration as a tree of words. Every format (braces, `set` lines, XML) is a way to write the same tree, so a
//! statement survives the way through all three. Branches are shared between copies: a rollback costs what differs.

use std::sync::Arc;

pub(crate) use super::lex::Word;
use super::schema::{Kind, Rule, is_wildcard, schema};

/// One word and what stands under it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Node {
    pub word: Word,
    pub inactive: bool,
    /// Neither the statement nor what stands under it may be changed.
    pub protected: bool,
    /// What `annotate` says of the statement, with its marks; several stand on lines of their own.
    pub annotation: Option<Word>,
    pub children: Vec<Arc<Node>>,
    pub hints: Hints,
}

/// How a statement was written. It changes what is printed, where the grammar does not say it, and nothing else: two
/// trees that differ in it alone are the same configuration.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hints {
    pub layout: Layout,
    /// The word with its quotes, where they were not needed or say it in another way.
    pub raw: Option<Word>,
    /// `## SECRET-DATA` stood behind it.
    pub secret: bool,
    /// What the switch itself remarked above it: `## Warning: ...`
    pub remark: Option<Word>,
}

impl PartialEq for Hints {
    fn eq(&self, _: &Hints) -> bool {
        true
    }
}

impl Eq for Hints {}

/// How what stands under a statement follows its words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Layout {
    #[default]
    Unknown,
    /// On the same line, each statement with the words before it.
    Line,
    Braces,
    Brackets,
    /// In brackets, although it is a single value.
    LoneInBrackets,
}

/// Where a walk through the grammar stands.
#[derive(Debug, Clone, Copy)]
pub(crate) enum At<'a> {
    /// In a block, or in a list entry.
    Block(&'a Rule),
    /// After a list's keyword: the next word is a key.
    Key(&'a Rule),
    /// After a leaf's keyword: the next word is the value.
    Value(&'a Rule),
    /// After a value or a flag: nothing can follow.
    End,
    /// Outside what the grammar describes.
    Open,
}

impl<'a> At<'a> {
    /// The top of the configuration.
    pub(crate) fn top() -> At<'static> {
        At::Block(schema())
    }

    /// Where the walk stands after `word`; `None` when the grammar has no such statement here.
    pub(crate) fn step(self, word: &str) -> Option<At<'a>> {
        match self {
            At::Open => Some(At::Open),
            At::End => None,
            At::Value(rule) => rule.check.accepts(word).then_some(At::End),
            At::Key(rule) => (rule.check.accepts(word) || is_wildcard(word)).then_some(At::Block(rule)),
            At::Block(rule) => Self::step_in_block(rule, word),
        }
    }

    /// The word in the form that the switch keeps here.
    pub(crate) fn kept(self, word: &str) -> Word {
        match self {
            At::Key(rule) => rule.check.kept(word),
            _ => word.into(),
        }
    }

    fn step_in_block(rule: &'a Rule, word: &str) -> Option<At<'a>> {
        if let Some(child) = rule.child(word) {
            return Some(match child.kind {
                Kind::Container | Kind::Presence => At::Block(child),
                Kind::List => At::Key(child),
                Kind::Leaf | Kind::LeafList => At::Value(child),
                Kind::Flag => At::End,
            });
        }
        match rule.hidden() {
            Some(list) if list.kind == Kind::List => Some(At::Block(list)),
            Some(leaf) if leaf.check.accepts(word) => Some(At::End),
            _ => {
                let may_be_any = rule.children.is_empty() || word.starts_with(|c: char| c.is_ascii_lowercase());
                (rule.open && may_be_any).then_some(At::Open)
            }
        }
    }

    /// Whether the words so far are a statement of their own: what they are followed by belongs to it.
    pub(crate) fn is_statement(self) -> bool {
        match self {
            At::Block(rule) => !rule.prefix,
            At::Value(_) | At::End => true,
            At::Key(_) | At::Open => false,
        }
    }

    /// Whether an empty block here means nothing and goes away.
    fn vanishes_when_empty(self) -> bool {
        match self {
            At::Block(rule) => rule.kind == Kind::Container,
            At::Key(_) | At::Value(_) => true,
            At::End | At::Open => false,
        }
    }
}

impl Node {
    /// A node without children.
    pub(crate) fn leaf(word: &str) -> Node {
        Node { word: word.into(), ..Node::default() }
    }

    /// The child called `word`.
    pub(crate) fn child(&self, word: &str) -> Option<&Arc<Node>> {
        self.children.iter().find(|child| &*child.word == word)
    }

    /// The child called `word`, unless it is marked inactive.
    pub(crate) fn active_child(&self, word: &str) -> Option<&Arc<Node>> {
        self.child(word).filter(|child| !child.inactive)
    }

    /// The children that are not marked inactive.
    pub(crate) fn active_children(&self) -> impl Iterator<Item = &Arc<Node>> {
        self.children.iter().filter(|child| !child.inactive)
    }

    /// The node at the end of `path`.
    pub(crate) fn find<S: AsRef<str>>(&self, path: &[S]) -> Option<&Node> {
        path.iter().try_fold(self, |node, word| node.child(word.as_ref()).map(|child| &**child))
    }

    /// The only child's word: the value of a leaf.
    pub(crate) fn value(&self) -> Option<&str> {
        self.children.first().map(|child| &*child.word)
    }

    /// Adds the statement `path`; a leaf's old value gives way. Says whether anything changed.
    pub(crate) fn set(&mut self, path: &[Word]) -> bool {
        self.set_at(At::top(), path)
    }

    fn set_at(&mut self, at: At<'_>, path: &[Word]) -> bool {
        let Some((word, rest)) = path.split_first() else {
            return false;
        };
        let next = at.step(word).unwrap_or(At::Open);
        let position = self.children.iter().position(|child| child.word == *word);
        if let Some(index) = position {
            return !rest.is_empty() && set_shared(&mut self.children[index], next, rest);
        }
        self.make_room(at, word);
        let mut fresh = Node { word: word.clone(), ..Node::default() };
        fresh.set_at(next, rest);
        self.children.push(Arc::new(fresh));
        true
    }

    /// A leaf's old value gives way to the new one.
    fn make_room(&mut self, at: At<'_>, word: &str) {
        match at {
            At::Value(rule) if rule.kind == Kind::Leaf => self.children.clear(),
            At::Block(rule) if rule.is_bare_value(word) => {
                self.children.retain(|child| !rule.is_bare_value(&child.word))
            }
            _ => {}
        }
    }

    /// Takes the statement `path` away, and blocks that this leaves empty. Says whether it was there.
    pub(crate) fn delete(&mut self, path: &[Word]) -> bool {
        self.find(path).is_some() && self.delete_at(At::top(), path)
    }

    fn delete_at(&mut self, at: At<'_>, path: &[Word]) -> bool {
        let Some((word, rest)) = path.split_first() else {
            let found = !self.children.is_empty();
            self.children.clear();
            return found;
        };
        let Some(index) = self.children.iter().position(|child| child.word == *word) else {
            return false;
        };
        if rest.is_empty() {
            self.children.remove(index);
            return true;
        }
        let next = at.step(word).unwrap_or(At::Open);
        let child = Arc::make_mut(&mut self.children[index]);
        let found = child.delete_at(next, rest);
        if child.children.is_empty() && next.vanishes_when_empty() {
            self.children.remove(index);
        }
        found
    }

    /// Changes the statement `path`. Says whether it was there.
    pub(crate) fn change(&mut self, path: &[Word], change: impl FnOnce(&mut Node)) -> bool {
        if self.find(path).is_none() {
            return false;
        }
        let mut node = self;
        for word in path {
            let Some(index) = node.children.iter().position(|child| child.word == *word) else {
                return false;
            };
            node = Arc::make_mut(&mut node.children[index]);
        }
        change(node);
        true
    }
}

/// Writes into a shared branch only when the statement is not there yet: an idempotent load copies nothing.
fn set_shared(child: &mut Arc<Node>, at: At<'_>, rest: &[Word]) -> bool {
    child.find(rest).is_none() && Arc::make_mut(child).set_at(at, rest)
}

/// Turns words into a path.
#[cfg(test)]
pub(crate) fn path(words: &str) -> Vec<Word> {
    words.split_whitespace().map(Word::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leaf_takes_its_new_value_and_a_leaf_list_keeps_both() {
        let mut tree = Node::default();
        tree.set(&path("system host-name a"));
        tree.set(&path("system host-name b"));
        tree.set(&path("apply-groups x"));
        tree.set(&path("apply-groups y"));
        assert_eq!(tree.find(&["system", "host-name"]).unwrap().value(), Some("b"));
        assert_eq!(tree.child("apply-groups").unwrap().children.len(), 2);
    }

    #[test]
    fn deleting_the_last_statement_takes_empty_blocks_along_but_keeps_list_entries() {
        let mut tree = Node::default();
        let port = "ethernet-switching-options secure-access-port interface ge-0/0/1.0";
        tree.set(&path(&format!("{port} static-ip 10.0.0.1 mac 02:00:00:00:00:01")));
        assert!(tree.delete(&path(&format!("{port} static-ip 10.0.0.1"))));
        assert!(tree.find(&path(port)).unwrap().children.is_empty());
        assert!(tree.delete(&path(port)));
        assert_eq!(tree, Node::default());
        assert!(!tree.delete(&path(port)));
    }

    #[test]
    fn a_copy_shares_what_was_not_touched() {
        let mut tree = Node::default();
        tree.set(&path("system host-name a"));
        tree.set(&path("snmp location here"));
        let copy = tree.clone();
        tree.set(&path("system host-name b"));
        assert!(Arc::ptr_eq(tree.child("snmp").unwrap(), copy.child("snmp").unwrap()));
        assert_eq!(copy.find(&["system", "host-name"]).unwrap().value(), Some("a"));
    }
}
