//! Words and punctuation of configuration text, shared by the brace and the `set` form.

/// A lexeme.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Lexeme {
    Word(String),
    Open,
    Close,
    End,
    ListOpen,
    ListClose,
}

impl Lexeme {
    /// The lexeme as it was written, for error messages.
    pub(crate) fn shown(&self) -> &str {
        match self {
            Lexeme::Word(word) => word,
            Lexeme::Open => "{",
            Lexeme::Close => "}",
            Lexeme::End => ";",
            Lexeme::ListOpen => "[",
            Lexeme::ListClose => "]",
        }
    }
}

/// Splits `text`; comments (`#` to the end of the line, `/* */`) are dropped.
pub(crate) fn lex(text: &str) -> Vec<Lexeme> {
    let mut rest = text.trim_start();
    let mut lexemes = Vec::new();
    while let Some(first) = rest.chars().next() {
        let (lexeme, after) = next(first, rest);
        lexemes.extend(lexeme);
        rest = after.trim_start();
    }
    lexemes
}

fn next(first: char, rest: &str) -> (Option<Lexeme>, &str) {
    match first {
        '#' => (None, rest.split_once('\n').map_or("", |(_, after)| after)),
        '/' if rest.starts_with("/*") => (None, rest.split_once("*/").map_or("", |(_, after)| after)),
        '"' => quoted(&rest[1..]),
        '{' => (Some(Lexeme::Open), &rest[1..]),
        '}' => (Some(Lexeme::Close), &rest[1..]),
        ';' => (Some(Lexeme::End), &rest[1..]),
        '[' => (Some(Lexeme::ListOpen), &rest[1..]),
        ']' => (Some(Lexeme::ListClose), &rest[1..]),
        _ => {
            let end = rest.find(|c: char| c.is_whitespace() || "{};[]\"".contains(c)).unwrap_or(rest.len());
            (Some(Lexeme::Word(rest[..end].to_owned())), &rest[end..])
        }
    }
}

fn quoted(rest: &str) -> (Option<Lexeme>, &str) {
    let mut word = String::new();
    let mut chars = rest.char_indices();
    while let Some((index, c)) = chars.next() {
        match c {
            '"' => return (Some(Lexeme::Word(word)), &rest[index + 1..]),
            '\\' => match chars.next() {
                Some((_, escaped @ ('"' | '\\'))) => word.push(escaped),
                // What any other letter means is the reader's business: `\n` stays as it was typed.
                other => word.extend(std::iter::once(c).chain(other.map(|(_, letter)| letter))),
            },
            other => word.push(other),
        }
    }
    (Some(Lexeme::Word(word)), "")
}

/// The word as text prints it: in quotes when it holds what would end a word.
pub(crate) fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:*+,@=%!<>?^~|&'`()".contains(c);
    if !word.is_empty() && word.chars().all(plain) && !word.starts_with("/*") && !reserved(word) {
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
    matches!(word, "inactive:" | "active:" | "replace:" | "delete:" | "protect:")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn comments_and_quotes_are_understood() {
        let words = lex("a \"b \\\"c\\\" {\" /* no; */ d; ## SECRET-DATA\n}");
        let shown: Vec<&str> = words.iter().map(Lexeme::shown).collect();
        assert_eq!(shown, ["a", "b \"c\" {", "d", ";", "}"]);
    }

    #[test]
    fn escapes_of_a_message_stay_as_they_were_typed() {
        let message = r#""\n=== private ===\n\tleave \"now\"""#;
        assert_eq!(quote(lex(message)[0].shown()), message);
    }

    proptest! {
        #[test]
        fn every_quoted_word_reads_back(word in "\\PC{0,12}") {
            prop_assert_eq!(lex(&quote(&word)), vec![Lexeme::Word(word)]);
        }
    }
}
