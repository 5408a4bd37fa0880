//! Reading the brace form of the configuration into edits.

use super::edit::{Edit, Expanded, Op, Spelled, SyntaxError, Token, expand};
use super::lex::{Lexeme, Placed, lex};
use super::schema::Kind;
use super::tree::{At, Word};

/// Reads brace text. What was read before an error is returned beside it: a real switch applies that much.
pub(crate) fn read_text(text: &str) -> (Vec<Edit>, Vec<SyntaxError>) {
    let lexemes = lex(text);
    let mut reader = Reader { lexemes: &lexemes, end: text.len(), next: 0, edits: Vec::new() };
    let outcome = reader.block(At::top(), &[], 0);
    let errors = outcome.err().map(|first| {
        let resume =
            SyntaxError { message: "error recovery ignores input until this point".to_owned(), ..SyntaxError::at("}") };
        vec![first, resume]
    });
    (reader.edits, errors.unwrap_or_default())
}

struct Reader<'t> {
    lexemes: &'t [Placed],
    /// The length of the text.
    end: usize,
    next: usize,
    edits: Vec<Edit>,
}

impl<'t> Reader<'t> {
    /// The next lexeme. Annotations within a statement belong to nothing.
    fn peek(&mut self) -> Option<&'t Lexeme> {
        while self.lexemes.get(self.next).is_some_and(|placed| is_remark(&placed.lexeme)) {
            self.next += 1;
        }
        self.lexemes.get(self.next).map(|placed| &placed.lexeme)
    }

    /// The comments before the next statement.
    fn comments(&mut self) -> Comments {
        let (mut annotations, mut remarks) = (Vec::new(), Vec::new());
        while let Some(placed) = self.lexemes.get(self.next).filter(|placed| is_remark(&placed.lexeme)) {
            self.next += 1;
            match &placed.lexeme {
                Lexeme::Annotation(text) => annotations.push(text.as_str()),
                // Who committed it last, and when, is the switch's to say.
                Lexeme::Remark(text) if !text.starts_with("## Last ") => remarks.push(text.as_str()),
                _ => {}
            }
        }
        let joined = |lines: &[&str]| (!lines.is_empty()).then(|| lines.join("\n").into());
        Comments { annotation: joined(&annotations), remark: joined(&remarks) }
    }

    fn here(&self) -> usize {
        self.lexemes.get(self.next).map_or(self.end, |placed| placed.at)
    }

    /// The next lexeme is not what may stand there; `missing` is what the text ends without.
    fn refused(&mut self, missing: &str) -> SyntaxError {
        let shown = self.peek().map_or(missing, Lexeme::shown).to_owned();
        SyntaxError::at(&shown).placed(self.here())
    }

    fn block(&mut self, at: At<'_>, prefix: &[Word], depth: usize) -> Result<(), SyntaxError> {
        loop {
            let comments = self.comments();
            match self.peek() {
                None if depth == 0 => return Ok(()),
                Some(Lexeme::Close) if depth > 0 => {
                    self.next += 1;
                    return Ok(());
                }
                Some(Lexeme::Word(_) | Lexeme::Quoted(..)) => self.statement(at, prefix, depth, comments)?,
                _ => return Err(self.refused("}")),
            }
        }
    }

    fn statement(&mut self, at: At<'_>, prefix: &[Word], depth: usize, comments: Comments) -> Result<(), SyntaxError> {
        let (op, marks) = self.marks();
        let tokens = self.tokens()?;
        let line = expand(at, prefix, &tokens)?;
        if op != Op::Set {
            self.edits.push(Edit { op, path: line.end.clone() });
        }
        if op != Op::Delete {
            self.set(&line, at, prefix.len(), matches!(tokens.last(), Some(Token::List(..))));
        }
        self.finish(&line, depth)?;
        if matches!(line.at, At::Key(_)) {
            self.edits.push(Edit { op: Op::Brace, path: line.end.clone() });
        }
        let said = [(Op::Annotate, comments.annotation), (Op::Remark, comments.remark)];
        let said = said.into_iter().filter_map(|(op, text)| Some(Edit { op, path: with(&line.statement, text?) }));
        self.edits.extend(said);
        self.edits.extend(marks.into_iter().map(|op| Edit { op, path: line.statement.clone() }));
        Ok(())
    }

    fn set(&mut self, line: &Expanded<'_>, at: At<'_>, above: usize, listed: bool) {
        let holds_more = self.peek() == Some(&Lexeme::Open);
        let path_of = |path: &Vec<Word>| Edit { op: Op::Set, path: path.clone() };
        if !(holds_more && matches!(line.at, At::Key(_) | At::Value(_))) {
            self.edits.extend(line.paths.iter().map(path_of));
        }
        let spelled = line.raws.iter().map(|(path, raw)| Edit { op: Op::Spell, path: with(path, raw.clone()) });
        self.edits.extend(spelled);
        self.lay_out(line, at, above, listed);
    }

    /// Notes which words stood on one line, for what the grammar says nothing about.
    fn lay_out(&mut self, line: &Expanded<'_>, mut at: At<'_>, above: usize, listed: bool) {
        let braces = self.peek() == Some(&Lexeme::Open);
        for length in above + 1..=line.end.len() {
            let path = &line.end[..length];
            at = at.step(&path[length - 1]).unwrap_or(At::Open);
            let op = match length == line.end.len() {
                true if listed && matches!(at, At::Value(_)) && line.paths.len() == 1 => Some(Op::LoneBracket),
                _ if !matches!(at, At::Open | At::Block(_)) => None,
                true if listed && line.paths.len() == 1 => Some(Op::LoneBracket),
                true if listed => Some(Op::Bracket),
                true => (braces && matches!(at, At::Open)).then_some(Op::Brace),
                false => Some(Op::Line),
            };
            self.edits.extend(op.map(|op| Edit { op, path: path.to_vec() }));
        }
    }

    fn finish(&mut self, line: &Expanded<'_>, depth: usize) -> Result<(), SyntaxError> {
        let (at, end) = (line.at, line.end.as_slice());
        let inner = match (self.peek(), at) {
            (Some(Lexeme::End), At::Key(_) | At::Value(_)) if !self.deleting(end) => return Err(self.refused(";")),
            (Some(Lexeme::End), _) => {
                self.next += 1;
                self.secret(end);
                return Ok(());
            }
            (Some(Lexeme::Open), At::Block(_) | At::Open | At::Key(_)) => (at, end),
            (Some(Lexeme::Open), At::Value(rule)) if rule.kind == Kind::LeafList => (at, end),
            (Some(Lexeme::Open), At::End) if line.ends_in_bare_value() => (line.block.0, &end[..line.block.1]),
            _ => return Err(self.refused(";")),
        };
        self.next += 1;
        self.block(inner.0, inner.1, depth + 1)
    }

    fn secret(&mut self, path: &[Word]) {
        if self.lexemes.get(self.next).is_some_and(|placed| placed.lexeme == Lexeme::Secret) {
            self.next += 1;
            self.edits.push(Edit { op: Op::Secret, path: path.to_vec() });
        }
    }

    /// A list or a leaf may be deleted by its keyword alone.
    fn deleting(&self, end: &[Word]) -> bool {
        self.edits.last().is_some_and(|edit| edit.op == Op::Delete && edit.path == end)
    }

    /// What the statement does, and what is said of it.
    fn marks(&mut self) -> (Op, Vec<Op>) {
        let (mut op, mut marks) = (Op::Set, Vec::new());
        while let Some(Lexeme::Word(word)) = self.peek() {
            match word.as_str() {
                "replace:" => op = Op::Replace,
                "delete:" => op = Op::Delete,
                "inactive:" => marks.push(Op::Deactivate),
                "active:" => marks.push(Op::Activate),
                "protect:" => marks.push(Op::Protect),
                "unprotect:" => marks.push(Op::Unprotect),
                _ => break,
            }
            self.next += 1;
        }
        // What is protected can no longer be marked.
        marks.sort_by_key(|op| *op == Op::Protect);
        (op, marks)
    }

    fn tokens(&mut self) -> Result<Vec<Token>, SyntaxError> {
        let mut tokens = Vec::new();
        loop {
            if let Some(spelled) = self.spelled() {
                tokens.push(Token::Word(spelled));
            } else if self.peek() == Some(&Lexeme::ListOpen) {
                tokens.push(self.list()?);
            } else {
                return Ok(tokens);
            }
        }
    }

    /// The next word, if there is one.
    fn spelled(&mut self) -> Option<Spelled> {
        self.peek();
        let spelled = Spelled::of(self.lexemes.get(self.next)?)?;
        self.next += 1;
        Some(spelled)
    }

    fn list(&mut self) -> Result<Token, SyntaxError> {
        let start = self.here();
        self.next += 1;
        let values: Vec<Spelled> = std::iter::from_fn(|| self.spelled()).collect();
        if self.peek() != Some(&Lexeme::ListClose) {
            return Err(self.refused("]"));
        }
        self.next += 1;
        Ok(Token::List(values, start))
    }
}

/// What stands above a statement.
struct Comments {
    annotation: Option<Word>,
    /// What the switch that printed the text had to say.
    remark: Option<Word>,
}

fn is_remark(lexeme: &Lexeme) -> bool {
    matches!(lexeme, Lexeme::Annotation(_) | Lexeme::Secret | Lexeme::Remark(_))
}

fn with(path: &[Word], last: Word) -> Vec<Word> {
    path.iter().cloned().chain([last]).collect()
}
