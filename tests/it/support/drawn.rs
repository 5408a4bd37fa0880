//! Parts of pages that tests draw from what the code does.

use std::fs::File;
use std::path::Path;

/// Asserts that the page has these lines as the diagram of this name, or with `VMACD_TEST_UPDATE_DOCS` writes them into it.
#[track_caller]
pub fn assert_drawn(page: &str, name: &str, lines: &[String]) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
    // Several tests write into one page at a time.
    let lock = File::open(&file).unwrap_or_else(|error| panic!("{page}: {error}"));
    lock.lock().expect("a lock");
    let text = std::fs::read_to_string(&file).expect("the page");
    let start = format!("<!-- drawn from the code: {name} -->\n```mermaid\n");
    let (head, rest) = text.split_once(&start).unwrap_or_else(|| panic!("{page}: no diagram {name}"));
    let (drawn, tail) = rest.split_once("```\n").expect("where the diagram ends");
    let lines: String = lines.iter().map(|line| format!("{line}\n")).collect();
    if std::env::var_os("VMACD_TEST_UPDATE_DOCS").is_some() {
        std::fs::write(&file, format!("{head}{start}{lines}```\n{tail}")).expect("the page");
        return;
    }
    assert!(drawn == lines, "{page}: the code does this (write it with VMACD_TEST_UPDATE_DOCS=1):\n{lines}");
}
