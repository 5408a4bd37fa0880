//! The words of a command line, and how the CLI says that something is wrong.

use crate::sim::config::set_lines::follow;
use crate::sim::config::tree::At;
use crate::sim::device::Refused;
use crate::sim::device::reply_error::RpcError;

/// A word and where it stands in its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TypedWord<'l> {
    pub text: &'l str,
    pub start: usize,
    pub end: usize,
}

/// Splits a line at blanks and around `|`; what stands in quotes stays together.
pub(crate) fn words(line: &str) -> Vec<TypedWord<'_>> {
    let mut found = Vec::new();
    let (mut start, mut quoted) = (None, false);
    for (at, c) in line.char_indices().chain([(line.len(), ' ')]) {
        let ends = !quoted && (c.is_whitespace() || c == '|');
        if ends {
            found.extend(start.take().map(|start| spoken(line, start, at)));
        } else {
            start.get_or_insert(at);
        }
        if ends && c == '|' {
            found.push(spoken(line, at, at + 1));
        }
        quoted ^= c == '"';
    }
    // A quotation that nobody closed.
    found.extend(start.map(|start| spoken(line, start, line.len())));
    found
}

fn spoken(line: &str, start: usize, end: usize) -> TypedWord<'_> {
    TypedWord { text: line[start..end].trim_matches('"'), start, end }
}

/// Why a command is not obeyed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum CliError {
    /// The line itself is wrong, at this column.
    At(usize, String),
    /// The device refuses.
    Refused(Refused),
}

impl From<Refused> for CliError {
    fn from(errors: Refused) -> CliError {
        CliError::Refused(errors)
    }
}

/// An unknown word; `None` means that the line ends too early.
pub(crate) fn unexpected(line: &str, word: Option<&TypedWord<'_>>, message: &str) -> CliError {
    CliError::At(word.map_or(line.trim_end().len() + 1, |word| word.start), message.to_owned())
}

/// The word of a `set` or `delete` line that the grammar refuses.
pub(crate) fn check_statement(line: &str) -> Result<(), CliError> {
    let words = words(line);
    let Some((verb, statement)) = words.split_first().filter(|(_, statement)| !statement.is_empty()) else {
        return Err(unexpected(line, None, "missing argument."));
    };
    let statement = match verb.text {
        "annotate" => &statement[..statement.len() - 1],
        _ => statement,
    };
    let mut at = At::top();
    for word in statement {
        let followed = follow(&line[verb.end..word.end]);
        at = followed.map_err(|error| CliError::At(word.start, format!("{}.", error.message)))?;
    }
    match at {
        _ if statement.is_empty() => Err(unexpected(line, None, "missing argument.")),
        At::Key(_) | At::Value(_) if verb.text == "set" => Err(unexpected(line, None, "missing argument.")),
        _ => Ok(()),
    }
}

/// What the CLI prints for `wrong` under a line that was typed after a prompt of `margin` characters.
pub(crate) fn message_for(wrong: &CliError, margin: usize) -> String {
    match wrong {
        CliError::At(column, message) => format!("{}^\n{message}\n", " ".repeat(margin + column)),
        CliError::Refused(errors) => errors.iter().map(report).collect(),
    }
}

/// An error or warning as the CLI words it.
pub(crate) fn report(error: &RpcError) -> String {
    let severity = if error.warning { "warning: " } else { "error: " };
    let message = &error.message;
    match (&error.path, &error.bad_element) {
        (Some(path), Some(element)) => {
            let message = message.strip_prefix("mgd: ").unwrap_or(message);
            let severity = if error.warning { severity } else { "" };
            format!("{path}\n  '{element}'\n    {severity}{message}\n")
        }
        (_, Some(element)) => format!("{severity}{message}: {element}\n"),
        // The level that the holder of the lock is at ends the sentence.
        (_, None) if error.session_id.is_some() => format!("{severity}{message}[edit]\n"),
        (_, None) => format!("{severity}{message}\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(line: &str) -> String {
        check_statement(line).map_or_else(|wrong| format!("{line}\n{}", message_for(&wrong, 0)), |()| "ok".to_owned())
    }

    #[test]
    fn the_mark_stands_under_the_word_that_is_wrong() {
        let marks = ["set system foo system", "set system host-name", "delete", "set vlans V vlan-id 1 2"];
        insta::assert_snapshot!(marks.map(wrong).join(""), @r"
    set system foo system
               ^
    syntax error.
    set system host-name
                         ^
    missing argument.
    delete
           ^
    missing argument.
    set vlans V vlan-id 1 2
                          ^
    syntax error.
    ");
        assert_eq!(wrong("delete interfaces ge-0/0/1 unit"), "ok");
        assert_eq!(wrong("set apply-groups [ one two ]"), "ok");
        assert_eq!(wrong("set interfaces ge-0/0/1 description \"a | b\""), "ok");
    }

    #[test]
    fn bars_stand_alone_and_quotations_stay_together() {
        let texts = |line| words(line).iter().map(|word| word.text).collect::<Vec<_>>();
        assert_eq!(texts("show|compare rollback  1 "), ["show", "|", "compare", "rollback", "1"]);
        assert_eq!(texts("commit comment \"a | b\" x"), ["commit", "comment", "a | b", "x"]);
        assert_eq!(texts("commit comment \"a b"), ["commit", "comment", "a b"]);
    }
}
