//! What a text means, and how that looks: colours, and lines built up from cells.
//!
//! Everything is escaped here before any colour is put round it, so that nothing stored can drive the terminal.

use clap::builder::styling::{AnsiColor, Style as AnsiStyle};

use crate::cli::terminal::escape::printable;

/// What a text means, shown as a colour where there are colours. It must be understood without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tone {
    #[default]
    Plain,
    /// As it should be: green.
    Good,
    /// On its way: yellow.
    Waiting,
    /// Needs attention: red.
    Bad,
    /// In the past: dim.
    Past,
    /// A title: bold.
    Title,
}

impl Tone {
    const fn style(self) -> AnsiStyle {
        match self {
            Self::Plain => AnsiStyle::new(),
            Self::Good => AnsiColor::Green.on_default(),
            Self::Waiting => AnsiColor::Yellow.on_default(),
            Self::Bad => AnsiColor::Red.on_default(),
            Self::Past => AnsiStyle::new().dimmed(),
            Self::Title => AnsiStyle::new().bold(),
        }
    }
}

/// A text with its tone, not escaped yet.
#[derive(Debug, Clone, Default)]
pub struct Cell {
    pub(super) text: String,
    pub(super) tone: Tone,
}

impl Cell {
    pub fn new(tone: Tone, text: impl Into<String>) -> Self {
        Self { text: text.into(), tone }
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::new(Tone::Plain, text)
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::new(Tone::Plain, text)
    }
}

/// What the output can show.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Style {
    /// Colours.
    pub color: bool,
    /// Columns of a terminal; none where lines may be of any length.
    pub width: Option<u16>,
}

impl Style {
    /// The text of a cell, safe to print.
    pub fn paint(self, cell: &Cell) -> String {
        let text = printable(&cell.text);
        match self.color && cell.tone != Tone::Plain {
            true => format!("{style}{text}{style:#}", style = cell.tone.style()),
            false => text,
        }
    }
}

/// Text in lines, built up from cells.
#[derive(Debug)]
pub struct Page {
    style: Style,
    text: String,
}

impl Page {
    pub fn new(style: Style) -> Self {
        Self { style, text: String::new() }
    }

    /// Adds to the line.
    pub fn put(&mut self, cell: impl Into<Cell>) -> &mut Self {
        self.text.push_str(&self.style.paint(&cell.into()));
        self
    }

    /// Ends the line.
    pub fn end(&mut self) {
        self.text.push('\n');
    }

    /// Adds several lines as they are.
    pub fn lines(&mut self, text: &str, tone_of: impl Fn(&str) -> Tone) {
        for line in text.lines() {
            self.put(Cell::new(tone_of(line), line)).end();
        }
    }

    /// What was built, without the end of its last line.
    pub fn finish(self) -> String {
        self.text.trim_end_matches('\n').to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_stand_round_lines_that_are_escaped() {
        let mut page = Page::new(Style { color: true, width: None });
        page.put(Cell::new(Tone::Past, "revoked \u{1b}[2J")).put(" forged\nline").end();
        let shown = page.finish().replace('\u{1b}', "ESC");
        assert_eq!(shown, r"ESC[2mrevoked \u001b[2JESC[0m forged\nline");
    }
}
