//! Data goes to stdout: as a table for people, as JSON for programs.

use std::io::Write;

use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table};
use serde::Serialize;

use super::fault::Fault;
use crate::domain::shown;

/// How data is printed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Output {
    json: bool,
}

impl Output {
    pub const fn new(json: bool) -> Self {
        Self { json }
    }

    /// Prints a list: JSON as it is, else a table with these columns.
    pub fn list<T: Serialize>(
        self,
        items: &[T],
        columns: &[&str],
        row: impl Fn(&T) -> Vec<String>,
    ) -> Result<(), Fault> {
        if self.json {
            return self.json(&items);
        }
        let mut table = Table::new();
        table.load_preset(NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
        table.set_header(columns);
        items.iter().for_each(|item| {
            table.add_row(row(item).iter().map(|cell| printable(cell)));
        });
        self.line(&table.trim_fmt())
    }

    /// Prints one thing: JSON as it is, else this text.
    pub fn one<T: Serialize>(self, item: &T, text: impl FnOnce() -> String) -> Result<(), Fault> {
        if self.json { self.json(item) } else { self.line(&text()) }
    }

    fn json<T: Serialize>(self, item: &T) -> Result<(), Fault> {
        self.line(&serde_json::to_string_pretty(item)?)
    }

    /// Prints lines; that the reader went away (`| head`) is no fault.
    fn line(self, text: &str) -> Result<(), Fault> {
        match writeln!(std::io::stdout().lock(), "{}", printable_lines(text)) {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
            _ => Ok(()),
        }
    }
}

/// The text on one line, escaped so that nothing stored can drive the terminal.
pub(super) fn printable(text: &str) -> String {
    shown(text).into_owned()
}

/// The same line by line.
pub(super) fn printable_lines(text: &str) -> String {
    text.split('\n').map(shown).collect::<Vec<_>>().join("\n")
}

/// A dash where there is nothing to show.
pub(super) fn or_dash<T: ToString>(value: Option<&T>) -> String {
    value.map_or_else(|| "-".to_owned(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_cannot_drive_the_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb\n"), "a\\u001b[2Jb\\n");
        assert_eq!(printable_lines("a\u{1b}\nb"), "a\\u001b\nb");
    }
}
