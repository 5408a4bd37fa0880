//! Reading the brace form of the configuration into edits.

use super::edit::{Edit, Expanded, Op, Syntax, Token, expand};
use super::lex::{Lexeme, lex};
use super::schema::Kind;
use super::tree::{At, Word};

/// Reads brace text. What was read before an error is returned beside it: a real switch applies that much.
pub(crate) fn read_text(text: &str) -> (Vec<Edit>, Vec<Syntax>) {
    let lexemes = lex(text);
    let mut reader = Reader { lexemes: &lexemes, next: 0, edits: Vec::new() };
    let outcome = reader.block(At::top(), &[], 0);
    let errors = outcome.err().map(|first| {
        let resume = Syntax { message: "error recovery ignores input until this point".to_owned(), ..Syntax::at("}") };
        vec![first, resume]
    });
    (reader.edits, errors.unwrap_or_default())
}

struct Reader<'t> {
    lexemes: &'t [Lexeme],
    next: usize,
    edits: Vec<Edit>,
}

impl Reader<'_> {
    fn peek(&self) -> Option<&Lexeme> {
        self.lexemes.get(self.next)
    }

    fn block(&mut self, at: At<'_>, prefix: &[Word], depth: usize) -> Result<(), Syntax> {
        loop {
            match self.peek() {
                None if depth == 0 => return Ok(()),
                None => return Err(Syntax::at("}")),
                Some(Lexeme::Close) if depth > 0 => {
                    self.next += 1;
                    return Ok(());
                }
                Some(Lexeme::Word(_)) => self.statement(at, prefix, depth)?,
                Some(other) => return Err(Syntax::at(other.shown())),
            }
        }
    }

    fn statement(&mut self, at: At<'_>, prefix: &[Word], depth: usize) -> Result<(), Syntax> {
        let (op, inactive) = self.marks();
        let tokens = self.tokens()?;
        let line = expand(at, prefix, &tokens)?;
        if op != Op::Set {
            self.edits.push(Edit { op, path: line.end.clone() });
        }
        if op != Op::Delete {
            let path_of = |path: &Vec<Word>| Edit { op: Op::Set, path: path.clone() };
            let holds_more = self.peek() == Some(&Lexeme::Open);
            if !(holds_more && matches!(line.at, At::Key(_) | At::Value(_))) {
                self.edits.extend(line.paths.iter().map(path_of));
            }
        }
        self.finish(&line, depth)?;
        if inactive {
            self.edits.push(Edit { op: Op::Deactivate, path: line.statement });
        }
        Ok(())
    }

    fn finish(&mut self, line: &Expanded<'_>, depth: usize) -> Result<(), Syntax> {
        let (at, end) = (line.at, line.end.as_slice());
        let Some(lexeme) = self.peek().cloned() else {
            return Err(Syntax::at(";"));
        };
        self.next += 1;
        match (lexeme, at) {
            (Lexeme::End, At::Key(_) | At::Value(_)) if !self.deleting(end) => Err(Syntax::at(";")),
            (Lexeme::End, _) => Ok(()),
            (Lexeme::Open, At::Block(_) | At::Open | At::Key(_)) => self.block(at, end, depth + 1),
            (Lexeme::Open, At::Value(rule)) if rule.kind == Kind::LeafList => self.block(at, end, depth + 1),
            (Lexeme::Open, At::End) if line.ends_in_bare_value() => {
                self.block(line.block.0, &end[..line.block.1], depth + 1)
            }
            (other, _) => Err(Syntax::at(other.shown())),
        }
    }

    /// A list or a leaf may be deleted by its keyword alone.
    fn deleting(&self, end: &[Word]) -> bool {
        self.edits.last().is_some_and(|edit| edit.op == Op::Delete && edit.path == end)
    }

    fn marks(&mut self) -> (Op, bool) {
        let (mut op, mut inactive) = (Op::Set, false);
        while let Some(Lexeme::Word(word)) = self.peek() {
            match word.as_str() {
                "inactive:" => inactive = true,
                "replace:" => op = Op::Replace,
                "delete:" => op = Op::Delete,
                "active:" | "protect:" => {}
                _ => break,
            }
            self.next += 1;
        }
        (op, inactive)
    }

    fn tokens(&mut self) -> Result<Vec<Token>, Syntax> {
        let mut tokens = Vec::new();
        while let Some(lexeme) = self.peek() {
            match lexeme {
                Lexeme::Word(word) => tokens.push(Token::Word(word.clone())),
                Lexeme::ListOpen => {
                    tokens.push(self.list()?);
                    continue;
                }
                _ => break,
            }
            self.next += 1;
        }
        Ok(tokens)
    }

    fn list(&mut self) -> Result<Token, Syntax> {
        self.next += 1;
        let mut values = Vec::new();
        while let Some(Lexeme::Word(word)) = self.peek() {
            values.push(word.clone());
            self.next += 1;
        }
        match self.peek() {
            Some(Lexeme::ListClose) => {
                self.next += 1;
                Ok(Token::List(values))
            }
            other => Err(Syntax::at(other.map_or("]", Lexeme::shown))),
        }
    }
}
