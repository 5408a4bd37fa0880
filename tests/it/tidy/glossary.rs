//! `docs/GLOSSARY.md` names what the code has, and everything that the domain exports.

use std::collections::BTreeSet;

use super::code::is_word;
use super::{assert_none, files, root, sources};

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The names in the second column.
fn glossed(page: &str) -> BTreeSet<String> {
    let cells = page.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").nth(1));
    cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).map(str::to_owned).collect()
}

/// The types that the code declares, and the tables of the migrations.
fn declared() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for source in sources("src") {
        let words: Vec<&str> = source.code.split(|c| !is_word(c)).filter(|word| !word.is_empty()).collect();
        let pairs = words.windows(2).filter(|pair| ["struct", "enum", "trait", "type"].contains(&pair[0]));
        names.extend(pairs.map(|pair| pair[1].to_owned()));
    }
    for path in files("migrations/sqlite") {
        let text = read(&path);
        let tables = text.split("CREATE TABLE ").skip(1).filter_map(|rest| rest.split_whitespace().next());
        names.extend(tables.map(str::to_owned));
    }
    names
}

/// The types that the domain exports, without its errors.
fn exported() -> BTreeSet<String> {
    let text = super::source("src/domain/mod.rs").code;
    let lists = text.split("pub use ").skip(1).filter_map(|rest| rest.split(';').next());
    let names = lists.flat_map(|list| list.rsplit("::").next().unwrap_or_default().split(|c| !is_word(c)));
    let is_type = |name: &&str| name.starts_with(char::is_uppercase) && name.contains(char::is_lowercase);
    let is_error = |name: &&str| name.ends_with("Error") || name.ends_with("Problem");
    names.filter(is_type).filter(|name| !is_error(name)).map(str::to_owned).collect()
}

#[test]
fn the_glossary_names_what_the_code_has() {
    let (glossed, exported) = (glossed(&read("docs/GLOSSARY.md")), exported());
    // What is exported is there; a macro may have declared it.
    let declared = &declared() | &exported;
    assert!(exported.len() > 40, "{exported:?}");
    assert_none(
        "names in docs/GLOSSARY.md that the code does not have",
        glossed.difference(&declared).cloned().collect(),
    );
    assert_none("types of the domain that docs/GLOSSARY.md lacks", exported.difference(&glossed).cloned().collect());
}
