//! Edits: what loading a configuration asks for, statement by statement, whatever the format it came in.

use super::schema::Kind;
use super::tree::{At, Node, Word};

/// What to do with a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    Set,
    Delete,
    /// Empty the statement, then let the edits after it fill it again.
    Replace,
    Deactivate,
    Activate,
}

/// One statement and what to do with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Edit {
    pub op: Op,
    pub path: Vec<Word>,
}

/// A statement the grammar refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Syntax {
    pub bad_element: String,
    pub message: String,
}

impl Syntax {
    pub(crate) fn at(bad_element: &str) -> Syntax {
        Syntax { bad_element: bad_element.to_owned(), message: "syntax error".to_owned() }
    }

    fn value(word: &str) -> Syntax {
        Syntax { message: format!("invalid value '{word}'"), ..Syntax::at(word) }
    }
}

/// A statement's word, or several values in brackets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Token {
    Word(String),
    List(Vec<String>),
}

/// The paths that one line of words stands for, and where the line ends.
#[derive(Debug)]
pub(crate) struct Expanded<'a> {
    pub paths: Vec<Vec<Word>>,
    pub end: Vec<Word>,
    /// The last statement of the line without its value: what becomes inactive.
    pub statement: Vec<Word>,
    pub at: At<'a>,
    /// The last block on the line, and how many words lead to it.
    pub block: (At<'a>, usize),
}

impl Expanded<'_> {
    /// Whether a block of the same statement may follow, as in `mac-limit 4 { action drop; }`.
    pub(crate) fn ends_in_bare_value(&self) -> bool {
        let last = self.end.get(self.block.1).filter(|_| self.end.len() == self.block.1 + 1);
        matches!((self.block.0, last), (At::Block(rule), Some(word)) if rule.is_bare_value(word))
    }
}

/// Follows `tokens` through the grammar from `prefix` on. Several leaves may stand in one line (`vlan V mac M`).
pub(crate) fn expand<'a>(at: At<'a>, prefix: &[Word], tokens: &[Token]) -> Result<Expanded<'a>, Syntax> {
    let mut walk = Walk { at, here: prefix.to_vec(), block: (at, prefix.len()), fresh: false, paths: Vec::new() };
    for token in tokens {
        match token {
            Token::Word(word) => walk.word(word)?,
            Token::List(values) => walk.values(values)?,
        }
    }
    if walk.fresh {
        walk.paths.push(walk.here.clone());
    }
    let statement = match walk.at {
        At::End | At::Open => walk.here[..walk.here.len().min(walk.block.1 + 1)].to_vec(),
        At::Block(_) | At::Key(_) | At::Value(_) => walk.here.clone(),
    };
    Ok(Expanded { paths: walk.paths, end: walk.here, statement, at: walk.at, block: walk.block })
}

struct Walk<'a> {
    at: At<'a>,
    here: Vec<Word>,
    /// The block around, to come back to after a leaf.
    block: (At<'a>, usize),
    /// Words since the last complete path.
    fresh: bool,
    paths: Vec<Vec<Word>>,
}

impl Walk<'_> {
    fn word(&mut self, word: &str) -> Result<(), Syntax> {
        if matches!(self.at, At::End) {
            (self.at, self.fresh) = (self.block.0, false);
            self.here.truncate(self.block.1);
        }
        let Some(next) = self.at.step(word) else {
            return Err(self.refusal(word));
        };
        self.here.push(self.at.kept(word));
        self.at = next;
        self.fresh = true;
        match next {
            At::Block(_) => self.block = (next, self.here.len()),
            At::End => self.complete(),
            At::Key(_) | At::Value(_) | At::Open => {}
        }
        Ok(())
    }

    fn refusal(&self, word: &str) -> Syntax {
        match self.at {
            At::Key(_) | At::Value(_) => Syntax::value(word),
            At::Block(_) | At::End | At::Open => Syntax::at(word),
        }
    }

    fn complete(&mut self) {
        self.paths.push(self.here.clone());
        self.fresh = false;
    }

    fn values(&mut self, values: &[String]) -> Result<(), Syntax> {
        let takes_list = match self.at {
            At::Value(rule) => rule.kind == Kind::LeafList,
            At::Open | At::Key(_) => true,
            At::Block(_) | At::End => false,
        };
        if !takes_list {
            return Err(Syntax::at("["));
        }
        for value in values {
            let mut path = self.here.clone();
            path.push(value.as_str().into());
            self.paths.push(path);
        }
        (self.at, self.fresh) = (At::End, false);
        Ok(())
    }
}

/// What became of a list of edits.
#[derive(Debug, Default)]
pub(crate) struct Applied {
    pub changed: bool,
    /// Statements to delete that were not there.
    pub missing: Vec<Vec<Word>>,
}

/// Applies `edits` one by one.
pub(crate) fn apply(tree: &mut Node, edits: &[Edit]) -> Applied {
    let mut applied = Applied::default();
    for edit in edits {
        let found = apply_one(tree, edit);
        applied.changed |= found;
        if !found && matches!(edit.op, Op::Delete | Op::Deactivate | Op::Activate) {
            applied.missing.push(edit.path.clone());
        }
    }
    applied
}

fn apply_one(tree: &mut Node, edit: &Edit) -> bool {
    match edit.op {
        Op::Set => tree.set(&edit.path),
        Op::Delete => tree.delete(&edit.path),
        Op::Deactivate => tree.set_inactive(&edit.path, true),
        Op::Activate => tree.set_inactive(&edit.path, false),
        Op::Replace => {
            tree.delete(&edit.path);
            tree.set(&edit.path)
        }
    }
}

/// `[edit a b c]`, as error paths print it.
pub(crate) fn edit_path(path: &[Word]) -> String {
    match path {
        [] => "[edit]".to_owned(),
        words => format!("[edit {}]", words.join(" ")),
    }
}
