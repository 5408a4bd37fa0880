//! How data looks to people: tables, lines, and colours that mean something.
//!
//! Everything is escaped here before any colour is put round it, so that nothing stored can drive the terminal.

use clap::builder::styling::{AnsiColor, Style};
use comfy_table::presets::NOTHING;
use comfy_table::{Attribute, Color, ContentArrangement, Table};

use super::output::printable;

/// What a text means, shown as a colour where there are colours. It must be understood without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Tone {
    #[default]
    Plain,
    /// As it should be: green.
    Good,
    /// On its way: yellow.
    Waiting,
    /// Somebody should look: red.
    Bad,
    /// Over and done with: dim.
    Past,
    /// A title: bold.
    Title,
}

impl Tone {
    const fn style(self) -> Style {
        match self {
            Self::Plain => Style::new(),
            Self::Good => AnsiColor::Green.on_default(),
            Self::Waiting => AnsiColor::Yellow.on_default(),
            Self::Bad => AnsiColor::Red.on_default(),
            Self::Past => Style::new().dimmed(),
            Self::Title => Style::new().bold(),
        }
    }
}

/// A text with its tone, not escaped yet.
#[derive(Debug, Clone, Default)]
pub(super) struct Cell {
    text: String,
    tone: Tone,
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

/// What the place that is printed to can show.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Look {
    /// Colours.
    pub color: bool,
    /// Columns of a terminal; none where lines may be of any length.
    pub width: Option<u16>,
}

impl Look {
    /// The text of a cell, safe to print.
    pub fn paint(self, cell: &Cell) -> String {
        let text = printable(&cell.text);
        match self.color && cell.tone != Tone::Plain {
            true => format!("{style}{text}{style:#}", style = cell.tone.style()),
            false => text,
        }
    }

    /// A table: one row a line where lines may be of any length, else its cells wrapped to the width.
    pub fn table(self, columns: &[&str], rows: impl Iterator<Item = Vec<Cell>>) -> String {
        let mut table = Table::new();
        table.load_style(NOTHING);
        match self.width {
            Some(width) => table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width),
            None => table.set_content_arrangement(ContentArrangement::Disabled),
        };
        if self.color {
            table.enforce_styling();
        } else {
            table.force_no_tty();
        }
        table.set_header(columns.iter().map(|column| styled(&Cell::new(Tone::Title, *column))));
        for row in rows {
            table.add_row(row.iter().map(styled));
        }
        table.trim_fmt()
    }
}

/// The cell as comfy-table takes it, so that it counts the columns of the text alone.
fn styled(cell: &Cell) -> comfy_table::Cell {
    let shown = comfy_table::Cell::new(printable(&cell.text));
    match cell.tone {
        Tone::Plain => shown,
        Tone::Good => shown.fg(Color::DarkGreen),
        Tone::Waiting => shown.fg(Color::DarkYellow),
        Tone::Bad => shown.fg(Color::DarkRed),
        Tone::Past => shown.add_attribute(Attribute::Dim),
        Tone::Title => shown.add_attribute(Attribute::Bold),
    }
}

/// Text in lines, built up from cells.
#[derive(Debug)]
pub(super) struct Page {
    look: Look,
    text: String,
}

impl Page {
    pub fn new(look: Look) -> Self {
        Self { look, text: String::new() }
    }

    /// Adds to the line.
    pub fn put(&mut self, cell: impl Into<Cell>) -> &mut Self {
        self.text.push_str(&self.look.paint(&cell.into()));
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

    fn rows() -> impl Iterator<Item = Vec<Cell>> {
        let long = "sw-a1:ge-0/0/1.0 sw-a2:ge-0/0/1.0 sw-a3:ge-0/0/1.0";
        [
            vec!["1".into(), Cell::new(Tone::Good, "active"), long.into()],
            vec!["2".into(), Cell::new(Tone::Bad, "failed (\u{1b}[2J)"), "-".into()],
        ]
        .into_iter()
    }

    fn table(look: Look) -> String {
        look.table(&["ID", "STATUS", "SWITCHES"], rows())
    }

    #[test]
    fn a_row_is_a_line_where_there_is_no_terminal() {
        insta::assert_snapshot!(table(Look::default()), @r"
        ID  STATUS              SWITCHES
        1   active              sw-a1:ge-0/0/1.0 sw-a2:ge-0/0/1.0 sw-a3:ge-0/0/1.0
        2   failed (\u001b[2J)  -
        ");
    }

    #[test]
    fn a_table_fits_a_narrow_terminal() {
        let narrow = table(Look { color: false, width: Some(40) });
        assert!(narrow.lines().all(|line| line.chars().count() <= 40), "{narrow}");
        insta::assert_snapshot!(narrow, @r"
        ID  STATUS       SWITCHES
        1   active       sw-a1:ge-0/0/1.0
                         sw-a2:ge-0/0/1.0
                         sw-a3:ge-0/0/1.0
        2   failed       -
            (\u001b[2J)
        ");
    }

    #[test]
    fn a_wide_terminal_wraps_nothing_and_stretches_nothing() {
        assert_eq!(table(Look { color: false, width: Some(200) }), table(Look::default()));
    }

    #[test]
    fn colours_stand_round_text_that_is_escaped() {
        let shown = table(Look { color: true, width: None }).replace('\u{1b}', "ESC");
        insta::assert_snapshot!(shown, @r"
        ESC[1m ID ESC[0mESC[1m STATUS             ESC[0mESC[1m SWITCHES                                           ESC[0m
         1  ESC[38;5;2m active             ESC[39m sw-a1:ge-0/0/1.0 sw-a2:ge-0/0/1.0 sw-a3:ge-0/0/1.0
         2  ESC[38;5;1m failed (\u001b[2J) ESC[39m -
        ");
        let mut page = Page::new(Look { color: true, width: None });
        page.put(Cell::new(Tone::Past, "revoked \u{1b}[2J")).put(" forged\nline").end();
        let shown = page.finish().replace('\u{1b}', "ESC");
        assert_eq!(shown, r"ESC[2mrevoked \u001b[2JESC[0m forged\nline");
    }
}
