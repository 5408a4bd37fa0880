//! A switch's configuration as it is shown to people: without its secrets, and compared with another.

use std::borrow::Cow;
use std::collections::BTreeSet;

use similar::TextDiff;

/// What Junos writes behind a secret statement.
const MARK: &str = "## SECRET-DATA";
/// What stands in a secret's place.
const HIDDEN: &str = "(hidden)";

/// A configuration as text: bytes that are no UTF-8 as `\xe9`.
pub fn readable(configuration: &[u8]) -> Cow<'_, str> {
    match str::from_utf8(configuration) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => {
            let chunks = configuration.utf8_chunks();
            chunks.map(|chunk| format!("{}{}", chunk.valid(), chunk.invalid().escape_ascii())).collect()
        }
    }
}

/// The configuration with the quoted values of secret statements hidden: Junos marks each with `## SECRET-DATA`.
pub fn redacted(configuration: &[u8]) -> String {
    readable(configuration).split_inclusive('\n').map(redact_line).collect()
}

fn redact_line(line: &str) -> String {
    let Some((statement, mark)) = line.split_once(MARK) else { return line.to_owned() };
    let shown = match (statement.find('"'), statement.rfind('"')) {
        (Some(first), Some(last)) if first < last => {
            format!("{}\"{HIDDEN}\"{}", &statement[..first], &statement[last + 1..])
        }
        _ => format!("{HIDDEN}; "),
    };
    format!("{shown}{MARK}{mark}")
}

/// A difference as a switch prints it, its secrets hidden. A switch may leave the mark out there: hidden is also whatever
/// is marked in one of the configurations, and whatever has the form of a Junos password (`$9$...`, `$6$...`).
pub fn redacted_difference(difference: &str, configurations: &[&[u8]]) -> String {
    let configurations: Vec<_> = configurations.iter().map(|text| readable(text)).collect();
    let mut secrets: Vec<&str> =
        configurations.iter().flat_map(|text| marked(text)).collect::<BTreeSet<_>>().into_iter().collect();
    // The longest first, so that none is left in part because another stands within it.
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    let known = |line: &str| secrets.iter().fold(line.to_owned(), |line, secret| line.replace(secret, HIDDEN));
    difference.split_inclusive('\n').map(|line| hide_passwords(&redact_line(&known(line)))).collect()
}

/// The values that are marked as secret.
fn marked(configuration: &str) -> impl Iterator<Item = &str> {
    let statements = configuration.lines().filter_map(|line| Some(line.split_once(MARK)?.0));
    let values = statements.filter_map(|statement| match (statement.find('"'), statement.rfind('"')) {
        (Some(first), Some(last)) if first < last => Some(&statement[first + 1..last]),
        _ => statement.trim_end().trim_end_matches(';').split_whitespace().last(),
    });
    values.filter(|value| !value.is_empty())
}

/// Hides words such as `$9$abc`: obfuscated (`$8$`, `$9$`) and hashed (`$1$`, `$5$`, `$6$`) passwords.
fn hide_passwords(line: &str) -> String {
    let is_password = |word: &str| ["$1$", "$5$", "$6$", "$8$", "$9$"].iter().any(|form| word.starts_with(form));
    let end_of_word = |symbol: char| symbol.is_whitespace() || matches!(symbol, '"' | ';');
    let words = line.split_inclusive(end_of_word).map(|word| {
        let bare = word.trim_end_matches(end_of_word);
        if is_password(bare) { word.replacen(bare, HIDDEN, 1) } else { word.to_owned() }
    });
    words.collect()
}

/// The difference between two configurations, their secrets hidden, as a unified diff under these names.
pub fn difference((older, old): (&str, &[u8]), (newer, new): (&str, &[u8])) -> String {
    let (old, new) = (redacted(old), redacted(new));
    TextDiff::from_lines(&old, &new).unified_diff().context_radius(3).header(older, newer).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marked_values_are_hidden_and_the_rest_is_as_it_was() {
        let configuration =
            "system {\n    encrypted-password \"$6$a\\\"b\"; ## SECRET-DATA\n    host-name \"sw 1\";\n}\n";
        insta::assert_snapshot!(redacted(configuration.as_bytes()), @r#"
        system {
            encrypted-password "(hidden)"; ## SECRET-DATA
            host-name "sw 1";
        }
        "#);
        assert!(!redacted(b"secret bare; ## SECRET-DATA").contains("bare"));
    }

    #[test]
    fn bytes_that_are_no_utf_8_are_told_apart() {
        assert_eq!(readable(b"caf\xe9 \xc3\xa9 \xff\xfe"), "caf\\xe9 \u{e9} \\xff\\xfe");
        let difference = difference(("old", b"a \xe9\n"), ("new", b"a \xe8\n"));
        assert!(difference.contains("-a \\xe9") && difference.contains("+a \\xe8"), "{difference}");
    }

    #[test]
    fn a_switchs_own_difference_shows_no_secret_whether_it_is_marked_there_or_not() {
        let before = "secret \"old word\"; ## SECRET-DATA\nhost-name a;\n";
        let after = "secret \"$9$new\"; ## SECRET-DATA\nkey bare; ## SECRET-DATA\n";
        let difference = "[edit system]\n-   secret \"old word\";\n+   secret \"$9$new\";\n+   key bare;\n\
                          +   encrypted-password \"$6$salt$hash\";\n+   other \"marked\"; ## SECRET-DATA\n-  host-name a;\n";
        insta::assert_snapshot!(redacted_difference(difference, &[before.as_bytes(), after.as_bytes()]), @r#"
        [edit system]
        -   secret "(hidden)";
        +   secret "(hidden)";
        +   key (hidden);
        +   encrypted-password "(hidden)";
        +   other "(hidden)"; ## SECRET-DATA
        -  host-name a;
        "#);
    }
}
