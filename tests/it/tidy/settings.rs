//! The page of the settings is made from the code.

use super::root;

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
    let found = std::process::Command::new("grep")
        .args(["-rhoE", "VMACD_TEST_[A-Z0-9_]*[A-Z0-9]", "tests", "benches"])
        .current_dir(root())
        .output()
        .expect("grep");
    let found = String::from_utf8(found.stdout).expect("UTF-8");
    let found: std::collections::BTreeSet<&str> = found.lines().collect();
    assert_eq!(found, vmacd::config::OF_TESTS.into_iter().collect(), "src/config/variables.rs");
}
