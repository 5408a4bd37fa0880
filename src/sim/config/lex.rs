//! Words and punctuation of configuration text, shared by the brace and the `set` form.

/// A word of the configuration.
pub(crate) type Word = std::sync::Arc<str>;

/// A lexeme.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Lexeme {
    Word(String),
    /// A word in quotes, and how it was written.
    Quoted(String, String),
    Open,
    Close,
    End,
    ListOpen,
    ListClose,
    /// An annotation with its marks: `/* moved */`, or `# moved` up to the end of the line.
    Annotation(String),
    /// `## SECRET-DATA`
    Secret,
    /// Another remark of the switch's own: `## Warning: ...`
    Remark(String),
}

/// A lexeme and where it starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Placed {
    pub lexeme: Lexeme,
    /// In bytes from the start of the text.
    pub at: usize,
}

impl Lexeme {
    /// The lexeme as it was written, for error messages.
    pub(crate) fn shown(&self) -> &str {
        match self {
            Lexeme::Word(word) | Lexeme::Quoted(word, _) => word,
            Lexeme::Open => "{",
            Lexeme::Close => "}",
            Lexeme::End => ";",
            Lexeme::ListOpen => "[",
            Lexeme::ListClose => "]",
            Lexeme::Annotation(text) | Lexeme::Remark(text) => text,
            Lexeme::Secret => SECRET,
        }
    }
}

/// The remark that Junos puts behind passwords and keys.
pub(crate) const SECRET: &str = "## SECRET-DATA";

/// Splits `text`. A comment annotates what comes after it; one behind a statement, on the statement's line, is dropped.
pub(crate) fn lex(text: &str) -> Vec<Placed> {
    let mut rest = text.trim_start();
    let mut lexemes: Vec<Placed> = Vec::new();
    let mut end = 0;
    while let Some(first) = rest.chars().next() {
        let at = text.len() - rest.len();
        let (lexeme, after) = next(first, rest);
        let before = lexemes.last().filter(|_| !text[end..at].contains('\n'));
        let kept = lexeme.filter(|lexeme| !before.is_some_and(|before| trails(&before.lexeme, lexeme)));
        lexemes.extend(kept.map(|lexeme| Placed { lexeme, at }));
        end = text.len() - after.len();
        rest = after.trim_start();
    }
    lexemes
}

/// Whether `comment` on the line of `before` is a comment that belongs to no statement.
fn trails(before: &Lexeme, comment: &Lexeme) -> bool {
    match comment {
        Lexeme::Annotation(text) => text.starts_with('#') || matches!(before, Lexeme::End | Lexeme::Close),
        Lexeme::Remark(_) => true,
        _ => false,
    }
}

fn next(first: char, rest: &str) -> (Option<Lexeme>, &str) {
    match first {
        '#' => to_end_of_line(rest),
        '/' if rest.starts_with("/*") => annotation(rest),
        '"' => quoted(rest),
        '{' => (Some(Lexeme::Open), &rest[1..]),
        '}' => (Some(Lexeme::Close), &rest[1..]),
        ';' => (Some(Lexeme::End), &rest[1..]),
        '[' => (Some(Lexeme::ListOpen), &rest[1..]),
        ']' => (Some(Lexeme::ListClose), &rest[1..]),
        _ => {
            let end = expression(rest).unwrap_or_else(|| rest.find(ends_word).unwrap_or(rest.len()));
            (Some(Lexeme::Word(rest[..end].to_owned())), &rest[end..])
        }
    }
}

fn ends_word(c: char) -> bool {
    c.is_whitespace() || "{};[]\"".contains(c)
}

/// The length of a policy expression, which is one value although it has blanks: `( A && ( B || C ) )`.
fn expression(rest: &str) -> Option<usize> {
    let mut open = 0_usize;
    let parentheses = rest.starts_with("( ").then(|| rest.find(['\n', ';', '"', '{', '[']).unwrap_or(rest.len()))?;
    for (at, letter) in rest[..parentheses].char_indices() {
        match letter {
            '(' => open += 1,
            ')' => open -= 1,
            _ => {}
        }
        if open == 0 {
            let after = rest[at + 1..].chars().next();
            return after.is_none_or(ends_word).then_some(at + 1);
        }
    }
    None
}

fn to_end_of_line(rest: &str) -> (Option<Lexeme>, &str) {
    let (line, after) = rest.split_at(rest.find('\n').unwrap_or(rest.len()));
    let lexeme = match line.trim_end() {
        secret if secret.starts_with(SECRET) => Lexeme::Secret,
        remark if remark.starts_with("##") => Lexeme::Remark(remark.to_owned()),
        comment => Lexeme::Annotation(comment.to_owned()),
    };
    (Some(lexeme), after)
}

fn annotation(rest: &str) -> (Option<Lexeme>, &str) {
    match rest[2..].find("*/") {
        Some(length) => {
            let (text, after) = rest.split_at(length + 4);
            (Some(Lexeme::Annotation(text.to_owned())), after)
        }
        None => (None, ""),
    }
}

fn quoted(rest: &str) -> (Option<Lexeme>, &str) {
    let mut word = String::new();
    let mut chars = rest.char_indices().skip(1);
    while let Some((index, c)) = chars.next() {
        match c {
            '"' => {
                let (raw, after) = rest.split_at(index + 1);
                return (Some(Lexeme::Quoted(word, raw.to_owned())), after);
            }
            '\\' => match chars.next() {
                Some((_, escaped @ ('"' | '\\'))) => word.push(escaped),
                // What any other letter means is the reader's business: `\n` stays as it was typed.
                other => word.extend(std::iter::once(c).chain(other.map(|(_, letter)| letter))),
            },
            other => word.push(other),
        }
    }
    let raw = quote(&word);
    (Some(Lexeme::Quoted(word, raw)), "")
}

/// The word as text prints it: in quotes when it holds what would end a word.
pub(crate) fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:*+,@=%!<>?^~|&'`()".contains(c);
    let whole = word.chars().all(plain) || expression(word) == Some(word.len());
    if !word.is_empty() && whole && !word.starts_with("/*") && !reserved(word) {
        return word.to_owned();
    }
    let mut out = String::from('"');
    let mut letters = word.chars().peekable();
    while let Some(letter) = letters.next() {
        let ambiguous = letter == '\\' && letters.peek().is_none_or(|next| matches!(next, '"' | '\\'));
        if letter == '"' || ambiguous {
            out.push('\\');
        }
        out.push(letter);
    }
    out + "\""
}

/// Words that mean something else at the start of a statement.
fn reserved(word: &str) -> bool {
    matches!(word, "inactive:" | "active:" | "replace:" | "delete:" | "protect:" | "unprotect:")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn comments_and_quotes_are_understood() {
        let words = lex("a \"b \\\"c\\\" {\" /* no; */ d; ## SECRET-DATA\n}# no\n");
        let shown: Vec<&str> = words.iter().map(|placed| placed.lexeme.shown()).collect();
        assert_eq!(shown, ["a", "b \"c\" {", "/* no; */", "d", ";", "## SECRET-DATA", "}"]);
        assert_eq!(words.iter().map(|placed| placed.at).collect::<Vec<_>>(), [0, 2, 14, 24, 25, 27, 42]);
    }

    #[test]
    fn escapes_of_a_message_stay_as_they_were_typed() {
        let message = r#""\n=== private ===\n\tleave \"now\"""#;
        assert_eq!(quote(lex(message)[0].lexeme.shown()), message);
    }

    proptest! {
        #[test]
        fn every_quoted_word_reads_back(word in "\\PC{0,12}") {
            let quoted = quote(&word);
            let lexemes = lex(&quoted);
            prop_assert_eq!(lexemes.len(), 1);
            prop_assert_eq!(lexemes[0].lexeme.shown(), word);
        }
    }
}
