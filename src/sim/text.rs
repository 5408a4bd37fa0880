//! The brace form of the configuration: reading it into edits and printing it.

use super::edit::{Edit, Op, Syntax, Token, expand};
use super::lex::{Lexeme, lex, quote};
use super::schema::Rule;
use super::tree::{At, Node, Word};

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
            if !(holds_more && matches!(line.at, At::Key(_))) {
                self.edits.extend(line.paths.iter().map(path_of));
            }
        }
        self.finish(line.at, &line.end, depth)?;
        if inactive {
            self.edits.push(Edit { op: Op::Deactivate, path: line.statement });
        }
        Ok(())
    }

    fn finish(&mut self, at: At<'_>, end: &[Word], depth: usize) -> Result<(), Syntax> {
        let Some(lexeme) = self.peek().cloned() else {
            return Err(Syntax::at(";"));
        };
        self.next += 1;
        match (lexeme, at) {
            (Lexeme::End, At::Key(_) | At::Value(_)) if !self.deleting(end) => Err(Syntax::at(";")),
            (Lexeme::End, _) => Ok(()),
            (Lexeme::Open, At::Block(_) | At::Open | At::Key(_)) => self.block(at, end, depth + 1),
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
        if rule.one_line {
            line(out, depth, &format!("{head}{}", one_line(rule, entry)));
        } else {
            braces(out, &head, At::Block(rule), entry, depth);
        }
    }
}

/// ` vlan V mac M`, in the order of the grammar.
pub(crate) fn one_line(rule: &Rule, entry: &Node) -> String {
    let leaves = rule.children.iter().filter_map(|leaf| entry.child(&leaf.name));
    leaves.map(|leaf| format!(" {}{}", leaf.word, values(leaf))).collect()
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
