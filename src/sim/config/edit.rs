//! Edits: what loading a configuration asks for, statement by statement, whatever the format it came in.

use super::lex::{Lexeme, Placed, quote};
use super::schema::Kind;
use super::tree::{At, Word};

/// What to do with a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    Set,
    Delete,
    /// Empty the statement, then let the edits after it fill it again.
    Replace,
    Deactivate,
    Activate,
    Protect,
    Unprotect,
    /// The path's last word is an annotation of the statement before it; an empty one takes it away.
    Annotate,
    /// The path's last word is how the word before it was written.
    Spell,
    /// What stands under the statement is written on its line, each with the statement's words before it.
    Line,
    /// What stands under the statement is written in braces.
    Brace,
    /// What stands under the statement is written in brackets.
    Bracket,
    /// The statement's only value is written in brackets.
    LoneBracket,
    /// The path's last word is what the switch remarked above the statement before it.
    Remark,
    /// The statement holds a secret.
    Secret,
}

/// One statement and what to do with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Edit {
    pub op: Op,
    pub path: Vec<Word>,
}

/// A statement the grammar refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    pub bad_element: String,
    pub message: String,
    /// Where it stands, in bytes from the start of the text.
    pub at: Option<usize>,
}

impl SyntaxError {
    pub(crate) fn at(bad_element: &str) -> SyntaxError {
        SyntaxError { bad_element: bad_element.to_owned(), message: "syntax error".to_owned(), at: None }
    }

    /// The same, at this byte unless it has a place already.
    pub(crate) fn placed(self, at: usize) -> SyntaxError {
        SyntaxError { at: self.at.or(Some(at)), ..self }
    }

    /// The same in a text that starts `offset` bytes earlier.
    pub(crate) fn moved(self, offset: usize) -> SyntaxError {
        SyntaxError { at: self.at.map(|at| at + offset), ..self }
    }

    /// Line and column of the place in `text`, both from 1; the end of the text where no place is known.
    pub(crate) fn place(&self, text: &str) -> (usize, usize) {
        let before = text.get(..self.at.unwrap_or(text.len())).unwrap_or(text);
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        (before.matches('\n').count() + 1, column)
    }

    fn value(word: &str) -> SyntaxError {
        SyntaxError { message: format!("invalid value '{word}'"), ..SyntaxError::at(word) }
    }
}

/// A statement's word, or several values in brackets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Token {
    Word(Spelled),
    /// The values, and where the bracket opens.
    List(Vec<Spelled>, usize),
}

/// A word, how it was written where that is not how it would be printed, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spelled {
    pub word: String,
    pub raw: Option<String>,
    pub at: usize,
}

impl Spelled {
    /// The word that a lexeme is, if it is one.
    pub(crate) fn of(placed: &Placed) -> Option<Spelled> {
        let (word, raw) = match &placed.lexeme {
            Lexeme::Word(word) => (word, word),
            Lexeme::Quoted(word, raw) => (word, raw),
            _ => return None,
        };
        Some(Spelled { word: word.clone(), raw: Some(raw.clone()).filter(|raw| *raw != quote(word)), at: placed.at })
    }
}

/// The paths that one line of words stands for, and where the line ends.
#[derive(Debug)]
pub(crate) struct Expanded<'a> {
    pub paths: Vec<Vec<Word>>,
    pub end: Vec<Word>,
    /// The statement that the line begins with: what becomes inactive, and what an annotation is about.
    pub statement: Vec<Word>,
    pub at: At<'a>,
    /// The last block on the line, and how many words lead to it.
    pub block: (At<'a>, usize),
    /// Words that were written in another way than they are printed: the path to each, and how.
    pub raws: Vec<(Vec<Word>, Word)>,
}

impl Expanded<'_> {
    /// Whether a block of the same statement may follow, as in `mac-limit 4 { action drop; }`.
    pub(crate) fn ends_in_bare_value(&self) -> bool {
        let last = self.end.get(self.block.1).filter(|_| self.end.len() == self.block.1 + 1);
        matches!((self.block.0, last), (At::Block(rule), Some(word)) if rule.is_bare_value(word))
    }
}

/// Follows `tokens` through the grammar from `prefix` on. Several leaves may stand in one line (`vlan V mac M`).
pub(crate) fn expand<'a>(at: At<'a>, prefix: &[Word], tokens: &[Token]) -> Result<Expanded<'a>, SyntaxError> {
    let mut walk = Walk {
        at,
        here: prefix.to_vec(),
        block: (at, prefix.len()),
        fresh: false,
        paths: Vec::new(),
        raws: Vec::new(),
        statement: None,
    };
    for token in tokens {
        match token {
            Token::Word(spelled) => walk.word(&spelled.word).map_err(|error| error.placed(spelled.at))?,
            Token::List(values, start) => walk.values(values).map_err(|error| error.placed(*start))?,
        }
        if let Token::Word(Spelled { raw: Some(raw), .. }) = token {
            walk.raws.push((walk.here.clone(), raw.as_str().into()));
        }
    }
    if walk.fresh {
        walk.paths.push(walk.here.clone());
    }
    let statement = walk.here[..walk.statement.unwrap_or(walk.here.len())].to_vec();
    Ok(Expanded { paths: walk.paths, end: walk.here, statement, at: walk.at, block: walk.block, raws: walk.raws })
}

struct Walk<'a> {
    at: At<'a>,
    here: Vec<Word>,
    /// The block around, to come back to after a leaf.
    block: (At<'a>, usize),
    /// Words since the last complete path.
    fresh: bool,
    paths: Vec<Vec<Word>>,
    raws: Vec<(Vec<Word>, Word)>,
    /// How many words lead to the statement that the line begins with.
    statement: Option<usize>,
}

impl Walk<'_> {
    fn word(&mut self, word: &str) -> Result<(), SyntaxError> {
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
        if next.is_statement() {
            self.statement.get_or_insert(self.here.len());
        }
        match next {
            At::Block(_) => self.block = (next, self.here.len()),
            At::End => self.complete(),
            At::Key(_) | At::Value(_) | At::Open => {}
        }
        Ok(())
    }

    fn refusal(&self, word: &str) -> SyntaxError {
        match self.at {
            At::Key(_) | At::Value(_) => SyntaxError::value(word),
            At::Block(_) | At::End | At::Open => SyntaxError::at(word),
        }
    }

    fn complete(&mut self) {
        self.paths.push(self.here.clone());
        self.fresh = false;
    }

    fn values(&mut self, values: &[Spelled]) -> Result<(), SyntaxError> {
        let takes_list = match self.at {
            At::Value(rule) => rule.kind == Kind::LeafList,
            At::Open | At::Key(_) => true,
            At::Block(_) | At::End => false,
        };
        if !takes_list {
            return Err(SyntaxError::at("["));
        }
        for value in values {
            let mut path = self.here.clone();
            path.push(value.word.as_str().into());
            self.raws.extend(value.raw.as_ref().map(|raw| (path.clone(), raw.as_str().into())));
            self.paths.push(path);
        }
        (self.at, self.fresh) = (At::End, false);
        Ok(())
    }
}

/// `[edit a b c]`, as error paths print it.
pub(crate) fn edit_path(path: &[Word]) -> String {
    match path {
        [] => "[edit]".to_owned(),
        words => format!("[edit {}]", words.join(" ")),
    }
}
