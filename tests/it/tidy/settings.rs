//! The page of the settings is made from the code.

use super::{files, root};

const START: &str = "<!-- made from src/config/settings.rs: VMACD_TEST_UPDATE_DOCS=1 tests/run settings_page -->\n";
const END: &str = "<!-- end of what is made -->\n";

#[test]
fn the_settings_page_is_made_from_the_code() {
    let file = root().join("docs/SETTINGS.md");
    let page = std::fs::read_to_string(&file).expect("docs/SETTINGS.md");
    let (head, rest) = page.split_once(START).expect("where the tables start");
    let (kept, tail) = rest.split_once(END).expect("where the tables end");
    let made = format!("\n{}\n", vmacd::config::tables());
    if std::env::var_os("VMACD_TEST_UPDATE_DOCS").is_some() {
        std::fs::write(&file, format!("{head}{START}{made}{END}{tail}")).expect("docs/SETTINGS.md");
        return;
    }
    assert!(kept == made, "docs/SETTINGS.md: run this test with VMACD_TEST_UPDATE_DOCS=1");
}

#[test]
fn every_variable_of_the_tests_is_known_to_be_one() {
    let texts: Vec<String> = ["tests", "benches"]
        .into_iter()
        .flat_map(files)
        .map(|path| String::from_utf8_lossy(&std::fs::read(root().join(path)).unwrap()).into_owned())
        .collect();
    let found: std::collections::BTreeSet<&str> = texts.iter().flat_map(|text| variables(text)).collect();
    assert_eq!(found, vmacd::config::OF_TESTS.iter().copied().collect(), "src/config/variables.rs");
}

fn variables(text: &str) -> impl Iterator<Item = &str> {
    let is_part = |symbol: char| symbol.is_ascii_uppercase() || symbol.is_ascii_digit() || symbol == '_';
    let words = text.split(move |symbol| !is_part(symbol)).map(|word| word.trim_end_matches('_'));
    words.filter(|word| word.starts_with("VMACD_TEST_"))
}
