//! Just enough reading of Rust: what is code, what is a test module.

/// Blanks comments, string and character literals, and keeps every line break.
pub fn blank_prose(text: &str) -> String {
    let mut rest = text;
    let mut code = String::with_capacity(text.len());
    while let Some(first) = rest.chars().next() {
        let after_word = code.chars().next_back().is_some_and(is_word);
        match prose_len(rest, after_word) {
            Some(length) => {
                code.extend(rest[..length].chars().map(|c| if c == '\n' { c } else { ' ' }));
                rest = &rest[length..];
            }
            None => {
                code.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    code
}

/// How long the comment or literal is that `text` starts with.
fn prose_len(text: &str, after_word: bool) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    if text.starts_with("/*") {
        return Some(block_comment_len(text));
    }
    if text.starts_with('"') {
        return Some(string_len(text));
    }
    if text.starts_with('\'') {
        return char_len(text);
    }
    (!after_word).then(|| raw_string_len(text)).flatten()
}

fn block_comment_len(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        let step = match &text.as_bytes()[at..] {
            [b'/', b'*', ..] => {
                depth += 1;
                2
            }
            [b'*', b'/', ..] => {
                depth -= 1;
                2
            }
            _ => 1,
        };
        at += step;
        if depth == 0 {
            break;
        }
    }
    at.min(text.len())
}

fn string_len(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '"' if !escaped => return at + 1,
            _ => escaped = c == '\\' && !escaped,
        }
    }
    text.len()
}

/// A character literal; a lifetime is none.
fn char_len(text: &str) -> Option<usize> {
    let inner = &text[1..];
    if inner.starts_with('\\') {
        return inner[2..].find('\'').map(|end| end + 4);
    }
    let width = inner.chars().next()?.len_utf8();
    inner[width..].starts_with('\'').then_some(width + 2)
}

fn raw_string_len(text: &str) -> Option<usize> {
    let body = text.strip_prefix("br").or_else(|| text.strip_prefix('r'))?;
    let hashes = body.len() - body.trim_start_matches('#').len();
    let content = body[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let head = text.len() - content.len();
    Some(content.find(&end).map_or(text.len(), |at| head + at + end.len()))
}

/// Blanks what stands under `#[cfg(test)]`.
pub fn blank_tests(code: &str) -> String {
    let mut shipped = code.to_string();
    while let Some(start) = shipped.find("#[cfg(test)]") {
        let end = item_end(&shipped, start).unwrap_or(shipped.len());
        let blank: String = shipped[start..end].chars().map(|c| if c == '\n' { c } else { ' ' }).collect();
        shipped.replace_range(start..end, &blank);
    }
    shipped
}

/// Where the item that starts at `start` ends: after its block, or its semicolon where it has none.
fn item_end(code: &str, start: usize) -> Option<usize> {
    let (mut braces, mut others) = (0, 0);
    for (at, c) in code[start..].char_indices() {
        match c {
            '(' | '[' => others += 1,
            ')' | ']' => others -= 1,
            '{' => braces += 1,
            '}' => braces -= 1,
            _ => {}
        }
        if matches!(c, '}' | ';') && braces == 0 && others == 0 {
            return Some(start + at + c.len_utf8());
        }
    }
    None
}

/// Where `word` stands as a whole word.
pub fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    code.match_indices(word).map(|(at, _)| at).filter(move |&at| {
        let before = code[..at].chars().next_back().is_some_and(is_word);
        let after = code[at + word.len()..].chars().next().is_some_and(is_word);
        !before && !after
    })
}

/// The line of a position, from 1.
pub fn line_of(code: &str, at: usize) -> usize {
    code[..at].matches('\n').count() + 1
}

/// Whether a character may stand in a name.
pub fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[test]
fn prose_is_blanked_and_lines_are_kept() {
    let text = "a // \"b\n/* c /* d */ '\"' */ e \"f\\\"g\" r#\"h\"i\"# 'j' '\\'' &'k l\nr";
    let code = blank_prose(text);
    assert_eq!(code.lines().count(), text.lines().count());
    assert_eq!(code.split_whitespace().collect::<Vec<_>>(), ["a", "e", "&'k", "l", "r"]);
}

#[test]
fn test_modules_are_no_shipped_code() {
    let shipped = blank_tests("use a;\n#[cfg(test)]\nmod tests { fn b() {} }\nuse c;");
    assert_eq!(shipped.split_whitespace().collect::<Vec<_>>(), ["use", "a;", "use", "c;"]);
}
