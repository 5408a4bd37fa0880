//! Tables that fit the terminal: as wide as they are, wrapped, or one block of lines for each row.

use comfy_table::presets::NOTHING;
use comfy_table::{Attribute, Color, ColumnConstraint, ContentArrangement, Table, Width};
use unicode_width::UnicodeWidthStr;

use super::style::{Cell, Page, Style, Tone};
use crate::cli::terminal::escape::printable;

impl Style {
    /// A table: one row a line where lines may be of any length, else its cells wrapped at blanks to the width; where even
    /// that is too narrow each row becomes a block of lines. Addresses, MACs and names are never cut: people copy them.
    pub fn table(self, columns: &[&str], rows: impl Iterator<Item = Vec<Cell>>) -> String {
        StreamedTable::new(self, columns).part(rows.collect())
    }

    fn grid(self, columns: &[&str], rows: &[Vec<Cell>], widths: &[usize]) -> String {
        let mut table = Table::new();
        table.load_style(NOTHING);
        table.set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(u16::try_from(widths.iter().map(|width| width + GAP).sum::<usize>()).unwrap_or(u16::MAX));
        if self.color {
            table.enforce_styling();
        } else {
            table.force_no_tty();
        }
        table.set_header(columns.iter().map(|column| styled(&Cell::new(Tone::Title, *column))));
        for row in rows {
            table.add_row(row.iter().map(styled));
        }
        for (column, width) in table.column_iter_mut().zip(widths) {
            let whole = u16::try_from(width + GAP).unwrap_or(u16::MAX);
            column.set_constraint(ColumnConstraint::Absolute(Width::Fixed(whole)));
        }
        table.trim_fmt()
    }

    /// Each row as lines of name and value.
    fn blocks(self, columns: &[&str], rows: &[Vec<Cell>]) -> String {
        let title_width = columns.iter().map(|column| width_of(column)).max().unwrap_or(0);
        let mut page = Page::new(self);
        for (number, row) in rows.iter().enumerate() {
            if number > 0 {
                page.end();
            }
            for (column, cell) in columns.iter().zip(row) {
                page.put(Cell::new(Tone::Title, format!("{column:<title_width$}"))).put("  ").put(cell.clone()).end();
            }
        }
        page.finish()
    }
}

/// A table that is printed part by part, each as soon as its rows are read: the titles once, and columns that grow with the
/// widest cell so far.
pub struct StreamedTable<'a> {
    style: Style,
    columns: &'a [&'a str],
    widths: Widths,
    pub has_begun: bool,
}

impl<'a> StreamedTable<'a> {
    pub fn new(style: Style, columns: &'a [&'a str]) -> Self {
        Self { style, columns, widths: Widths::of(columns), has_begun: false }
    }

    /// The next rows, without the end of the last line.
    pub fn part(&mut self, rows: Vec<Vec<Cell>>) -> String {
        let is_first = !std::mem::replace(&mut self.has_begun, true);
        self.widths.grow(&rows);
        let grid = |widths: &[usize]| {
            let grid = self.style.grid(self.columns, &rows, widths);
            match grid.split_once('\n') {
                Some((_titles, rest)) if !is_first => rest.to_owned(),
                _ => grid,
            }
        };
        match self.widths.layout(self.style.width.map(usize::from)) {
            Layout::Natural => grid(&self.widths.natural),
            Layout::Wrapped(widths) => grid(&widths),
            Layout::Blocks if is_first => self.style.blocks(self.columns, &rows),
            Layout::Blocks => format!("\n{}", self.style.blocks(self.columns, &rows)),
        }
    }
}

/// How wide the columns of a table are.
struct Widths {
    /// With nothing wrapped.
    natural: Vec<usize>,
    /// With no word cut.
    least: Vec<usize>,
}

impl Widths {
    fn of(columns: &[&str]) -> Self {
        let widths: Vec<usize> = columns.iter().map(|column| width_of(column)).collect();
        Self { natural: widths.clone(), least: widths }
    }

    fn grow(&mut self, rows: &[Vec<Cell>]) {
        for (at, cell) in rows.iter().flat_map(|row| row.iter().enumerate()) {
            let (Some(natural), Some(least)) = (self.natural.get_mut(at), self.least.get_mut(at)) else { continue };
            let text = printable(&cell.text);
            let longest_word = text.split(' ').map(width_of).max().unwrap_or(0);
            *natural = width_of(&text).max(*natural);
            *least = longest_word.min(WHOLE_WORD_MAX).max(*least);
        }
    }

    fn layout(&self, width: Option<usize>) -> Layout {
        let Some(width) = width else { return Layout::Natural };
        let room = width.saturating_sub(GAP * self.natural.len());
        if self.natural.iter().sum::<usize>() <= room {
            Layout::Natural
        } else if self.least.iter().sum::<usize>() > room {
            Layout::Blocks
        } else {
            Layout::Wrapped(shared_out(&self.natural, self.least.clone(), room))
        }
    }
}

/// Columns between two cells.
const GAP: usize = 2;
/// Longest word that is never cut: an IPv6 address with its prefix. A longer one has no place on a narrow terminal.
const WHOLE_WORD_MAX: usize = 43;

/// How a table fits its terminal.
#[derive(Debug, PartialEq, Eq)]
enum Layout {
    /// As wide as it is.
    Natural,
    /// Cells wrapped at blanks; each column this wide.
    Wrapped(Vec<usize>),
    /// Not as a table.
    Blocks,
}

/// Gives what is left of the room to the columns that want more: to each alike, so that the short ones are not wrapped.
fn shared_out(natural: &[usize], mut widths: Vec<usize>, room: usize) -> Vec<usize> {
    let mut left = room - widths.iter().sum::<usize>();
    while left > 0 {
        let narrowest = (0..widths.len()).filter(|at| widths[*at] < natural[*at]).min_by_key(|at| widths[*at]);
        let Some(narrowest) = narrowest else { break };
        widths[narrowest] += 1;
        left -= 1;
    }
    widths
}

/// The columns of a terminal that a text takes.
fn width_of(text: &str) -> usize {
    text.width()
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

    fn table(style: Style) -> String {
        style.table(&["ID", "STATUS", "SWITCHES"], rows())
    }

    #[test]
    fn a_row_is_a_line_where_there_is_no_terminal() {
        insta::assert_snapshot!(table(Style::default()), @r"
        ID  STATUS              SWITCHES
        1   active              sw-a1:ge-0/0/1.0 sw-a2:ge-0/0/1.0 sw-a3:ge-0/0/1.0
        2   failed (\u001b[2J)  -
        ");
    }

    #[test]
    fn a_table_fits_a_narrow_terminal() {
        let narrow = table(Style { color: false, width: Some(40) });
        assert!(narrow.lines().all(|line| line.chars().count() <= 40), "{narrow}");
        insta::assert_snapshot!(narrow, @r"
        ID  STATUS            SWITCHES
        1   active            sw-a1:ge-0/0/1.0
                              sw-a2:ge-0/0/1.0
                              sw-a3:ge-0/0/1.0
        2   failed            -
            (\u001b[2J)
        ");
    }

    /// What somebody may copy, each with what stands beside it in a list.
    const COPIED: [&str; 4] =
        ["02:a1:b2:c3:d4:e5", "2001:db8:1234:5678:9abc:def0:1234:5678", "255.255.255.255", "sw-001:xe-0/0/47.4094"];

    #[test]
    fn what_people_copy_is_never_cut_whatever_the_width() {
        let columns = ["ID", "SERVER", "ADDRESS", "MAC", "V4", "STATUS", "SWITCHES", "UPDATED"];
        let row = [
            "14067",
            "104277",
            COPIED[1],
            COPIED[0],
            COPIED[2],
            "failed (refused_by_switch)",
            COPIED[3],
            "2026-11-21 10:00:00",
        ];
        for width in 20..220_u16 {
            let style = Style { color: false, width: Some(width) };
            let shown = style.table(&columns, std::iter::once(row.into_iter().map(Cell::from).collect()));
            for text in COPIED {
                assert!(shown.lines().any(|line| line.contains(text)), "{width}: {text} is cut:\n{shown}");
            }
            let longest = shown.lines().map(|line| line.trim_end().chars().count()).max().unwrap_or(0);
            assert!(longest <= usize::from(width.max(60)), "{width}: {shown}");
        }
    }

    #[test]
    fn a_table_that_is_too_wide_even_when_wrapped_becomes_blocks() {
        let rows = [["7", COPIED[1], COPIED[0]], ["8", "10.0.0.6", COPIED[0]]];
        let rows = rows.into_iter().map(|row| row.into_iter().map(Cell::from).collect());
        let shown = Style { color: false, width: Some(50) }.table(&["ID", "ADDRESS", "MAC"], rows);
        insta::assert_snapshot!(shown, @r"
        ID       7
        ADDRESS  2001:db8:1234:5678:9abc:def0:1234:5678
        MAC      02:a1:b2:c3:d4:e5

        ID       8
        ADDRESS  10.0.0.6
        MAC      02:a1:b2:c3:d4:e5
        ");
    }

    #[test]
    fn a_table_in_parts_has_its_titles_once_and_lines_its_columns_up() {
        let row = |cells: [&'static str; 3]| vec![cells.into_iter().map(Cell::from).collect()];
        let mut table = StreamedTable::new(Style::default(), &["ID", "STATUS", "MAC"]);
        let parts = [["14067", "active", COPIED[0]], ["9", "failed (unreachable)", COPIED[0]]];
        let shown = parts.map(|cells| table.part(row(cells))).join("\n");
        insta::assert_snapshot!(shown, @r"
        ID     STATUS  MAC
        14067  active  02:a1:b2:c3:d4:e5
        9      failed (unreachable)  02:a1:b2:c3:d4:e5
        ");
    }

    #[test]
    fn a_wide_terminal_wraps_nothing_and_stretches_nothing() {
        assert_eq!(table(Style { color: false, width: Some(200) }), table(Style::default()));
    }

    #[test]
    fn colours_stand_round_text_that_is_escaped() {
        let shown = table(Style { color: true, width: None }).replace('\u{1b}', "ESC");
        insta::assert_snapshot!(shown, @r"
        ESC[1m ID ESC[0mESC[1m STATUS             ESC[0mESC[1m SWITCHES                                           ESC[0m
         1  ESC[38;5;2m active             ESC[39m sw-a1:ge-0/0/1.0 sw-a2:ge-0/0/1.0 sw-a3:ge-0/0/1.0
         2  ESC[38;5;1m failed (\u001b[2J) ESC[39m -
        ");
    }
}
