//! Data goes to stdout: as text for people, as JSON for programs.

use std::io::IsTerminal;

use serde::Serialize;
use serde_json::Value;

use super::spool::{Spool, SpoolWriter};
use super::style::{Cell, Page, Style};
use super::table::StreamedTable;
use crate::cli::args::ColorWhen;
use crate::cli::fault::Fault;
use crate::cli::terminal::escape::{printable, printable_lines};
use crate::cli::terminal::streams::{write_bytes, write_line, write_text};
use crate::domain::shown;

/// How data is printed.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    pub json: bool,
    pub style: Style,
}

/// Data, and how it looks to people; what a verb has to say.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    pub data: Value,
    /// Safe to print.
    pub text: String,
    /// How many more there are that were not read, because no screen shows them.
    pub more: usize,
}

impl Output {
    /// For this process's stdout.
    pub fn new(json: bool, color: ColorWhen) -> Self {
        let stdout = std::io::stdout();
        let color = match color {
            ColorWhen::Always => true,
            ColorWhen::Never => false,
            ColorWhen::Auto => anstream::AutoStream::choice(&stdout) != anstream::ColorChoice::Never,
        };
        Self { json, style: Style { color, width: size().map(|(width, _)| width) } }
    }

    /// The same, for a terminal that may have another size by now.
    pub fn resized(self) -> Self {
        Self { style: Style { width: size().map(|(width, _)| width), ..self.style }, ..self }
    }

    /// Lines of the terminal; none where there is none.
    pub fn height(self) -> Option<usize> {
        size().map(|(_, height)| height.into())
    }

    /// True where people watch.
    pub fn is_terminal(self) -> bool {
        !self.json && std::io::stdout().is_terminal()
    }

    /// A list as a table with these columns.
    pub fn table<T: Serialize>(
        self,
        items: &[T],
        columns: &[&str],
        row: impl Fn(&T) -> Vec<Cell>,
    ) -> Result<Document, Fault> {
        let data = serde_json::to_value(items)?;
        Ok(Document { data, text: self.style.table(columns, items.iter().map(row)), more: 0 })
    }

    /// One thing as a page of text.
    pub fn page<T: Serialize>(self, item: &T, write: impl FnOnce(&mut Page)) -> Result<Document, Fault> {
        let mut page = Page::new(self.style);
        write(&mut page);
        Ok(Document { data: serde_json::to_value(item)?, text: page.finish(), more: 0 })
    }

    /// Prints a document: JSON as it is, else its text.
    pub fn print(self, document: &Document) -> Result<(), Fault> {
        if self.json { self.json(&document.data) } else { print_line(&document.text) }
    }

    /// Prints a list: JSON as it is, else a table with these columns.
    pub fn list<T: Serialize>(self, items: &[T], columns: &[&str], row: impl Fn(&T) -> Vec<Cell>) -> Result<(), Fault> {
        if self.json { self.json(&items) } else { self.print(&self.table(items, columns, row)?) }
    }

    /// Prints a list that is read part by part, until `read` has no more: each part as it comes.
    pub async fn stream<T: Serialize>(
        self,
        columns: &[&str],
        row: impl Fn(&T) -> Vec<Cell>,
        mut read: impl AsyncFnMut() -> Result<Option<Vec<T>>, Fault>,
    ) -> Result<(), Fault> {
        let (mut table, mut list) = (StreamedTable::new(self.style, columns), JsonList::default());
        while let Some(part) = read().await? {
            let is_read = match self.json {
                true => list.print(&part)?,
                false => part.is_empty() || write_text(&format!("{}\n", table.part(part.iter().map(&row).collect())))?,
            };
            if !is_read {
                return Ok(());
            }
        }
        match self.json {
            true => list.end(),
            false if table.has_begun => Ok(()),
            false => print_line(&table.part(Vec::new())),
        }
    }

    /// The same to be printed once it is whole, as JSON on one line.
    pub async fn spool<T: Serialize>(
        self,
        columns: &[&str],
        row: impl Fn(&T) -> Vec<Cell>,
        mut read: impl AsyncFnMut() -> Result<Option<Vec<T>>, Fault>,
    ) -> Result<Spool, Fault> {
        let (mut table, mut spool, mut before) = (StreamedTable::new(self.style, columns), SpoolWriter::new()?, "[");
        while let Some(part) = read().await? {
            if !self.json && !part.is_empty() {
                spool.write(&format!("{}\n", table.part(part.iter().map(&row).collect())))?;
            }
            for item in part.iter().filter(|_| self.json) {
                let item = serde_json::to_string(item)?;
                spool.write(&format!("{}{}", std::mem::replace(&mut before, ","), printable(&item)))?;
            }
        }
        match self.json {
            true => spool.write(if before == "[" { "[]\n" } else { "]\n" })?,
            false if table.has_begun => {}
            false => spool.write(&format!("{}\n", table.part(Vec::new())))?,
        }
        spool.finish()
    }

    /// Prints one thing: JSON as it is, else this text.
    pub fn item<T: Serialize>(self, item: &T, text: impl FnOnce() -> String) -> Result<(), Fault> {
        if self.json { self.json(item) } else { print_line(&printable_lines(&text())) }
    }

    /// Prints bytes as they are: only where no terminal shows them.
    pub fn bytes(self, bytes: &[u8]) -> Result<(), Fault> {
        write_bytes(bytes)?;
        Ok(())
    }

    fn json<T: Serialize>(self, item: &T) -> Result<(), Fault> {
        print_line(&printable_lines(&serde_json::to_string_pretty(item)?))
    }
}

/// A list as JSON that is printed while it is read.
#[derive(Default)]
struct JsonList {
    has_begun: bool,
}

impl JsonList {
    /// Prints the next items; false where nobody reads any more.
    fn print<T: Serialize>(&mut self, items: &[T]) -> Result<bool, Fault> {
        let mut text = String::new();
        for item in items {
            text.push_str(if std::mem::replace(&mut self.has_begun, true) { ",\n" } else { "[\n" });
            let item = serde_json::to_string_pretty(item)?;
            text.push_str(&item.lines().map(|line| format!("  {}", shown(line))).collect::<Vec<_>>().join("\n"));
        }
        Ok(write_text(&text)?)
    }

    fn end(self) -> Result<(), Fault> {
        print_line(if self.has_begun { "\n]" } else { "[]" })
    }
}

/// Prints a line; a reader that went away (`| head`) is no fault.
fn print_line(text: &str) -> Result<(), Fault> {
    write_line(text)?;
    Ok(())
}

/// Columns and lines of the terminal behind stdout.
fn size() -> Option<(u16, u16)> {
    let size = terminal_size::terminal_size_of(std::io::stdout());
    size.map(|(width, height)| (width.0, height.0)).filter(|(width, height)| *width > 0 && *height > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn of_a_list_to_be_printed_whole_no_more_than_a_part_is_in_memory() {
        let spooled = async |json: bool, parts: usize| {
            let (held, mut left) = (std::sync::Arc::new("name".to_owned()), parts);
            let read = async || {
                assert_eq!(std::sync::Arc::strong_count(&held), 1, "the part before is gone");
                left = left.wrapping_sub(1);
                let part = (left != usize::MAX).then(|| vec![Item(held.clone()), Item(held.clone())]);
                Ok::<_, Fault>(part)
            };
            let output = Output { json, style: Style::default() };
            output.spool(&["NAME"], |item: &Item| vec![item.0.as_str().into()], read).await.expect("read")
        };
        let shown = async |json, parts| spooled(json, parts).await.text();
        assert_eq!((shown(true, 0).await.as_str(), shown(false, 0).await.trim()), ("[]\n", "NAME"));
        assert_eq!(shown(true, 2).await, "[\"name\",\"name\",\"name\",\"name\"]\n");
        assert_eq!(shown(false, 2).await.lines().count(), 5);
        assert_eq!(spooled(true, 2).await.hash, spooled(true, 2).await.hash);
        assert_ne!(spooled(true, 2).await.hash, spooled(true, 1).await.hash);
    }

    /// Counted while it is held.
    struct Item(std::sync::Arc<String>);

    impl Serialize for Item {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_str(&self.0)
        }
    }
}
