//! The generated tables of `docs/JUNOS.md`: a test makes each anew and compares it with what stands there.

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

/// Asserts that the document holds this table under that name; with `VMACD_TEST_UPDATE_DOCS=1` puts it there.
#[track_caller]
pub fn assert_documented(name: &str, table: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/JUNOS.md");
    let text = std::fs::read_to_string(&file).expect("docs/JUNOS.md");
    let (begin, end) = (format!("<!-- begin {name} -->\n"), format!("<!-- end {name} -->"));
    let (before, rest) = text.split_once(&begin).expect("the section's begin mark");
    let (documented, after) = rest.split_once(&end).expect("the section's end mark");
    if std::env::var_os("VMACD_TEST_UPDATE_DOCS").is_some() {
        std::fs::write(&file, format!("{before}{begin}{table}{end}{after}")).expect("docs/JUNOS.md is writable");
    } else {
        assert_eq!(documented, table, "docs/JUNOS.md, {name}: run this test with VMACD_TEST_UPDATE_DOCS=1");
    }
}
