//! The settings told to people: the tables of `docs/SETTINGS.md` and the example file, both made from `settings`.

use std::fmt::Write;

use toml::Value;

use super::section::{Key, SectionDoc};
use super::settings::Settings;

/// Width of a comment in the example file, characters.
const WIDTH: usize = 110;

/// One Markdown table for each section.
pub fn tables() -> String {
    let sections = Settings::sections();
    sections.iter().map(table).collect::<Vec<_>>().join("\n")
}

fn table(section: &SectionDoc) -> String {
    let mut text = format!("### `[{}]`\n\n{}\n\n", section.name, section.meaning);
    text.push_str("| key | default | range | meaning |\n|---|---|---|---|\n");
    for key in &section.keys {
        let range = key.range.map(|range| range.to_string()).unwrap_or_default();
        let meaning = key.meaning.replace('|', "\\|");
        let row = format!("| `{}` | {} | {range} | {meaning} |", key.name, default_cell(key));
        let _ = writeln!(text, "{}", row.replace("|  |", "| |").replace("|  |", "| |"));
    }
    text
}

fn default_cell(key: &Key) -> String {
    match &key.default {
        Value::String(text) if text.is_empty() => String::new(),
        Value::String(text) => format!("`{text}`"),
        other => format!("`{other}`"),
    }
}

/// A whole `vmacd.toml` with every setting, commented, at its default.
pub fn example() -> String {
    let mut text = String::from(
        "# Settings of vmacd. What stands behind a `#` is the default; the environment (VMACD_<SECTION>_<KEY>) wins over this\n\
         # file. Secrets are best passed as VMACD_<SECTION>_<KEY>_FILE, which names a file that holds the value.\n",
    );
    for section in Settings::sections() {
        text.push('\n');
        comment(&mut text, &section.meaning);
        let off = if section.name.contains('.') { "# " } else { "" };
        let _ = writeln!(text, "{off}[{}]", section.name);
        for key in &section.keys {
            let range = key.range.map(|range| format!(" Range: {range}.")).unwrap_or_default();
            comment(&mut text, &format!("{}{range}", key.meaning));
            let _ = writeln!(text, "# {} = {}", key.name, key.default);
        }
    }
    text
}

/// A comment, told from a setting by its two `#`.
fn comment(text: &mut String, sentence: &str) {
    let mut line = String::from("##");
    for word in sentence.split(' ') {
        if line.len() + word.len() > WIDTH {
            let _ = writeln!(text, "{line}");
            line = String::from("##");
        }
        line.push(' ');
        line.push_str(word);
    }
    let _ = writeln!(text, "{line}");
}

/// The environment variables of all settings but those in sections by name, without their `..._FILE` twins.
pub fn variables() -> Vec<String> {
    let plain = Settings::sections().into_iter().filter(|section| !section.name.contains('.'));
    let names = plain.flat_map(|section| {
        let name = |key: &Key| format!("VMACD_{}_{}", section.name, key.name).to_uppercase();
        section.keys.iter().map(name).collect::<Vec<_>>()
    });
    names.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_with_its_defaults_taken_at_their_word_is_the_default() {
        let settings = |text: &str| toml::from_str::<Settings>(text).expect("settings");
        assert_eq!(settings(&example()), Settings::default(), "as it is printed");
        let lines = example();
        let uncommented = lines.lines().filter(|line| !line.starts_with("##")).map(|line| {
            let line = line.strip_prefix("# ").unwrap_or(line);
            if line.contains(" = ") || line.starts_with('[') { line } else { "" }
        });
        let mut all: toml::Table = uncommented.collect::<Vec<_>>().join("\n").parse().expect("a table");
        for section in all.iter_mut().filter_map(|(_, section)| section.as_table_mut()) {
            section.remove("NAME");
        }
        assert_eq!(all.try_into::<Settings>().expect("settings"), Settings::default());
    }

    #[test]
    fn every_number_has_a_range_that_holds_its_default() {
        for section in Settings::sections() {
            for key in &section.keys {
                let number = key.default.as_float().or(key.default.as_integer().map(|number| number as f64));
                let Some(number) = number else { continue };
                let range = key.range.unwrap_or_else(|| panic!("{}.{} has no range", section.name, key.name));
                assert!((range.min..=range.max).contains(&number), "{}.{}", section.name, key.name);
                assert!(range.max < 2_f64.powi(53), "{}.{}", section.name, key.name);
            }
        }
    }

    #[test]
    fn every_key_has_its_meaning() {
        for section in Settings::sections() {
            assert!(section.meaning.ends_with('.'), "{}", section.name);
            for key in &section.keys {
                assert!(key.meaning.ends_with('.'), "{}.{}: {:?}", section.name, key.name, key.meaning);
            }
        }
    }
}
