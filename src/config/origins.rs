//! Where each setting comes from, so that a program that works with other settings than were meant can say so.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;
use toml::{Table, Value};

use super::Settings;

/// Settings, and where each comes from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The settings.
    pub settings: Settings,
    /// Where each comes from.
    pub origins: Origins,
}

/// Where each setting comes from.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Origins {
    /// The file that was read.
    file: Option<PathBuf>,
    /// The files that were looked for and are not there.
    #[serde(skip)]
    absent: Vec<PathBuf>,
    /// File or variable by `section.key`; what is not here is at its default.
    settings: BTreeMap<String, String>,
}

impl Origins {
    pub(super) fn of_file(path: &Path, table: &Table) -> Self {
        let mut settings = BTreeMap::new();
        leaves("", table, &mut |setting| _ = settings.insert(setting, path.display().to_string()));
        Self { file: Some(path.to_owned()), absent: Vec::new(), settings }
    }

    pub(super) fn without_file(absent: &[&Path]) -> Self {
        let absent = absent.iter().map(|path| (*path).to_owned()).collect();
        Self { file: None, absent, settings: BTreeMap::new() }
    }

    pub(super) fn set_by(&mut self, setting: String, variable: String) {
        self.settings.insert(setting, variable);
    }

    /// The file or variable that sets it, or `default`.
    pub fn of(&self, setting: &str) -> String {
        self.settings.get(setting).cloned().unwrap_or_else(|| "default".to_owned())
    }

    /// True where a file or a variable sets it.
    pub fn is_set(&self, setting: &str) -> bool {
        self.settings.contains_key(setting)
    }

    /// True where a settings file was read.
    pub const fn has_file(&self) -> bool {
        self.file.is_some()
    }

    /// The same in a sentence, without its stop, for somebody who meant another value.
    pub fn sentence(&self, setting: &str) -> String {
        match (self.settings.get(setting), &self.file) {
            (Some(origin), _) => format!("{setting} is set by {origin}"),
            (None, Some(file)) => format!("{setting} is at its default: {} does not set it", file.display()),
            (None, None) => {
                let absent: Vec<String> = self.absent.iter().map(|path| path.display().to_string()).collect();
                format!("{setting} is at its default: there is no {}", absent.join(" or "))
            }
        }
    }

    /// The settings as TOML, each line with where it comes from.
    pub fn annotate(&self, toml: &str) -> String {
        let mut section = String::new();
        let line = |line: &str| {
            if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                section = format!("{name}.");
            }
            let is_setting = line.contains(" = ") && line.parse::<Table>().is_ok();
            match line.split_once(" = ").filter(|_| is_setting) {
                Some((key, _)) => format!("{line}  # {}", self.of(&format!("{section}{key}"))),
                None => line.to_owned(),
            }
        };
        toml.lines().map(line).collect::<Vec<_>>().join("\n")
    }
}

/// Tells the whole name of everything in the table that is no table.
fn leaves(prefix: &str, table: &Table, tell: &mut impl FnMut(String)) {
    for (key, value) in table {
        match value {
            Value::Table(inner) => leaves(&format!("{prefix}{key}."), inner, tell),
            _ => tell(format!("{prefix}{key}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_says_where_its_value_comes_from() {
        let table = "[ssh]\nuser = \"a\"\n[credentials.core]\nuser = \"b\"".parse().expect("TOML");
        let mut origins = Origins::of_file(Path::new("x.toml"), &table);
        origins.set_by("ssh.agent".to_owned(), "VMACD_SSH_AGENT".to_owned());
        let shown = origins.annotate("[ssh]\nuser = \"a\"\nagent = true\nport = 1\n\n[credentials.core]\nuser = \"b\"");
        insta::assert_snapshot!(shown, @r#"
        [ssh]
        user = "a"  # x.toml
        agent = true  # VMACD_SSH_AGENT
        port = 1  # default

        [credentials.core]
        user = "b"  # x.toml
        "#);
        assert!(shown.parse::<Table>().is_ok(), "it can be read again");
    }
}
