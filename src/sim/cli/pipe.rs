//! What follows a `|`.

use super::words::{CliError, TypedWord, unexpected};

/// One way to treat what a command prints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Pipe {
    DisplaySet,
    /// With the number of the configuration to compare with.
    Compare(usize),
    Match(String),
    Except(String),
    Count,
    NoMore,
}

/// Parts a line into its command and its pipes.
pub(crate) fn split<'w, 'l>(
    line: &str,
    words: &'w [TypedWord<'l>],
) -> Result<(&'w [TypedWord<'l>], Vec<Pipe>), CliError> {
    let mut parts = words.split(|word| word.text == "|");
    let command = parts.next().unwrap_or_default();
    let pipes = parts.map(|part| pipe(line, part)).collect::<Result<_, _>>()?;
    Ok((command, pipes))
}

fn pipe(line: &str, words: &[TypedWord<'_>]) -> Result<Pipe, CliError> {
    let texts: Vec<&str> = words.iter().map(|word| word.text).collect();
    Ok(match texts.as_slice() {
        ["display", "set"] => Pipe::DisplaySet,
        ["compare"] => Pipe::Compare(0),
        ["compare", "rollback", number] => match number.parse() {
            Ok(number) => Pipe::Compare(number),
            Err(_) => return Err(unexpected(line, words.last(), &format!("invalid numeric value: '{number}'."))),
        },
        ["match", text] => Pipe::Match(text.to_lowercase()),
        ["except", text] => Pipe::Except(text.to_lowercase()),
        ["count"] => Pipe::Count,
        ["no-more"] => Pipe::NoMore,
        _ => return Err(unexpected(line, words.last(), "syntax error.")),
    })
}

/// What is left of `text` after the pipes that work on lines, one after the other.
pub(crate) fn through(text: String, pipes: &[Pipe]) -> String {
    pipes.iter().fold(text, |text, pipe| match pipe {
        Pipe::Match(part) => lines(&text, |line| line.contains(part)),
        Pipe::Except(part) => lines(&text, |line| !line.contains(part)),
        Pipe::Count => format!("Count: {} lines\n", text.lines().count()),
        Pipe::DisplaySet | Pipe::Compare(_) | Pipe::NoMore => text,
    })
}

fn lines(text: &str, keep: impl Fn(&str) -> bool) -> String {
    text.lines().filter(|line| keep(&line.to_lowercase())).map(|line| format!("{line}\n")).collect()
}
