//! The `set` form: one statement a line.

use super::edit::{Edit, Op, Spelled, SyntaxError, Token, expand};
use super::lex::{Lexeme, Placed, lex, quote};
use super::print_text::one_line;
use super::tree::{At, Node};

/// Reads `set`, `delete`, `activate`, `protect` lines and the like. A line that is wrong is reported and the others go on.
pub(crate) fn read_set(text: &str) -> (Vec<Edit>, Vec<SyntaxError>) {
    let (mut edits, mut errors) = (Vec::new(), Vec::new());
    for line in text.lines().filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#')) {
        let offset = line.as_ptr().addr() - text.as_ptr().addr();
        match read_line(line) {
            Ok(read) => edits.extend(read),
            Err(error) => errors.push(error.placed(line.trim_end().len()).moved(offset)),
        }
    }
    (edits, errors)
}

fn read_line(line: &str) -> Result<Vec<Edit>, SyntaxError> {
    let tokens = tokens(&lex(line))?;
    let Some((Token::Word(verb), words)) = tokens.split_first() else {
        return Err(SyntaxError::at(line.trim()));
    };
    let op = match verb.word.as_str() {
        "set" => Op::Set,
        "delete" => Op::Delete,
        "activate" => Op::Activate,
        "deactivate" => Op::Deactivate,
        "replace" => Op::Replace,
        "annotate" => return annotate(words),
        "protect" => Op::Protect,
        "unprotect" => Op::Unprotect,
        other => return Err(SyntaxError::at(other).placed(verb.at)),
    };
    let expanded = expand(At::top(), &[], words)?;
    let incomplete = matches!(expanded.at, At::Key(_) | At::Value(_));
    if op == Op::Set && incomplete {
        return Err(SyntaxError::at(expanded.end.last().map_or("set", |word| word)));
    }
    let paths = if words.is_empty() { vec![Vec::new()] } else { expanded.paths };
    Ok(paths.into_iter().map(|path| Edit { op, path }).collect())
}

/// `annotate STATEMENT "text"`; an empty text takes the annotation away.
fn annotate(words: &[Token]) -> Result<Vec<Edit>, SyntaxError> {
    let Some((Token::Word(text), statement)) = words.split_last().filter(|(_, statement)| !statement.is_empty()) else {
        return Err(SyntaxError::at("annotate"));
    };
    let mut path = expand(At::top(), &[], statement)?.end;
    path.push(marked(&text.word).ok_or_else(|| SyntaxError::at(&text.word).placed(text.at))?.into());
    Ok(vec![Edit { op: Op::Annotate, path }])
}

/// The text of an annotation with its marks, which may be typed too; `None` when it ends before its end.
fn marked(text: &str) -> Option<String> {
    let inner = text.strip_prefix("/*").and_then(|text| text.strip_suffix("*/"));
    match (text, inner) {
        ("", _) => Some(String::new()),
        (_, Some(inner)) => (!inner.contains("*/")).then(|| text.to_owned()),
        (comment, _) if comment.starts_with('#') => (!comment.contains('\n')).then(|| text.to_owned()),
        _ => (!text.contains("*/")).then(|| format!("/* {text} */")),
    }
}

/// Where the grammar stands after the statement of a line whose verb was cut off.
pub(crate) fn follow(statement: &str) -> Result<At<'static>, SyntaxError> {
    Ok(expand(At::top(), &[], &tokens(&lex(statement))?)?.at)
}

fn tokens(lexemes: &[Placed]) -> Result<Vec<Token>, SyntaxError> {
    let mut tokens = Vec::new();
    let mut list: Option<(Vec<Spelled>, usize)> = None;
    for placed in lexemes {
        match (Spelled::of(placed), &placed.lexeme, &mut list) {
            (Some(word), _, None) => tokens.push(Token::Word(word)),
            (Some(word), _, Some((values, _))) => values.push(word),
            (None, Lexeme::ListOpen, None) => list = Some((Vec::new(), placed.at)),
            (None, Lexeme::ListClose, Some(_)) => {
                tokens.extend(list.take().map(|(values, start)| Token::List(values, start)));
            }
            (None, Lexeme::Annotation(_) | Lexeme::Secret | Lexeme::Remark(_), _) => {}
            (None, other, _) => return Err(SyntaxError::at(other.shown()).placed(placed.at)),
        }
    }
    Ok(tokens)
}

/// Prints `tree` as `set` lines, the inactive statements' `deactivate` lines beside them.
pub(crate) fn print_set(tree: &Node) -> String {
    let mut out = String::new();
    tree.children.iter().for_each(|child| print(&mut out, At::top(), child, ""));
    out
}

fn print(out: &mut String, at: At<'_>, node: &Node, above: &str) {
    let path = format!("{above} {}", quote(&node.word));
    let next = at.step(&node.word).unwrap_or(At::Open);
    let on_one = match at {
        At::Key(list) if list.one_line => one_line(list, node),
        _ => None,
    };
    match on_one {
        Some(leaves) => out.push_str(&format!("set{path}{leaves}\n")),
        _ if node.children.is_empty() => out.push_str(&format!("set{path}\n")),
        _ => node.children.iter().for_each(|child| print(out, next, child, &path)),
    }
    for (verb, _) in [("deactivate", node.inactive), ("protect", node.protected)].iter().filter(|(_, said)| *said) {
        out.push_str(&format!("{verb}{path}\n"));
    }
}

/// The tree that `text` describes, in whichever of the formats it is written.
pub(crate) fn parse_any(text: &str) -> Result<Node, SyntaxError> {
    let first = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#')).unwrap_or_default();
    let (edits, errors) = match first {
        xml if xml.starts_with('<') => xml_document(text)?,
        set if set.starts_with("set ") || set.starts_with("delete ") => read_set(text),
        _ => super::read_text::read_text(text),
    };
    if let Some(error) = errors.into_iter().next() {
        return Err(error);
    }
    let mut tree = Node::default();
    super::apply::apply(&mut tree, &edits);
    Ok(tree)
}

fn xml_document(text: &str) -> Result<(Vec<Edit>, Vec<SyntaxError>), SyntaxError> {
    let start = text.find('<').unwrap_or(0);
    let (edits, errors) = super::read_xml::read_document(&text[start..]).map_err(|error| error.moved(start))?;
    Ok((edits, errors.into_iter().map(|error| error.moved(start)).collect()))
}
