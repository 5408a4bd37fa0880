//! Tables of pages in `docs/` that tests make: each is made anew and compared with what stands there.

use std::fmt::Write as _;
use std::path::Path;

/// A table in Markdown.
pub fn markdown(head: &[&str], rows: &[Vec<String>]) -> String {
    let line =
        |cells: &[String]| format!("| {} |\n", cells.iter().map(|cell| escaped(cell)).collect::<Vec<_>>().join(" | "));
    let mut text = line(&head.iter().map(|cell| (*cell).to_owned()).collect::<Vec<_>>());
    let _ = writeln!(text, "|{}", "---|".repeat(head.len()));
    rows.iter().for_each(|row| text.push_str(&line(row)));
    text
}

fn escaped(cell: &str) -> String {
    cell.replace('|', "\\|").replace('\n', " ")
}

/// Asserts that the page holds this table under that name; with `VMACD_TEST_UPDATE_DOCS=1` puts it there.
#[track_caller]
pub fn assert_documented(page: &str, name: &str, table: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
    let text = std::fs::read_to_string(&file).expect(page);
    let (begin, end) = (format!("<!-- begin {name} -->\n"), format!("<!-- end {name} -->"));
    let (before, rest) = text.split_once(&begin).expect("the section's begin mark");
    let (documented, after) = rest.split_once(&end).expect("the section's end mark");
    if std::env::var_os("VMACD_TEST_UPDATE_DOCS").is_some() {
        std::fs::write(&file, format!("{before}{begin}{table}{end}{after}")).expect(page);
    } else {
        assert_eq!(documented, table, "{page}, {name}: run this test with VMACD_TEST_UPDATE_DOCS=1");
    }
}
