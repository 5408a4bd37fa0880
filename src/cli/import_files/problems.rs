//! What is wrong in a file: all of it at once, so that it is fixed in one go.

use std::fmt;
use std::path::Path;

use serde::Serialize;

use crate::cli::fault::Fault;
use crate::domain::shown;

/// Something that is wrong in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    pub file: String,
    /// From 1; none where it is the whole file.
    pub line: Option<u64>,
    /// The column of a table, the path in JSON and TOML; none where it is the whole line.
    pub field: Option<String>,
    pub text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(&self.file))?;
        if let Some(line) = self.line {
            write!(f, ", line {line}")?;
        }
        if let Some(field) = &self.field {
            write!(f, ", {}", shown(field))?;
        }
        write!(f, ": {}", self.text)
    }
}

/// All that is wrong in one file.
#[derive(Debug)]
pub struct Problems {
    file: String,
    found: Vec<Problem>,
}

impl Problems {
    pub fn new(file: &Path) -> Self {
        Self { file: file.display().to_string(), found: Vec::new() }
    }

    pub const fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Notes what is wrong with a field; `text` is safe to print.
    pub fn field(&mut self, line: u64, field: impl Into<String>, text: impl fmt::Display) {
        self.add(Some(line), Some(field.into()), text);
    }

    /// Notes what is wrong with a line.
    pub fn line(&mut self, line: u64, text: impl fmt::Display) {
        self.add(Some(line), None, text);
    }

    /// Notes what is wrong with the file.
    pub fn file(&mut self, text: impl fmt::Display) {
        self.add(None, None, text);
    }

    fn add(&mut self, line: Option<u64>, field: Option<String>, text: impl fmt::Display) {
        self.found.push(Problem { file: self.file.clone(), line, field, text: text.to_string() });
    }

    /// The refusal of the file, with each problem on a line of its own, in the order of lines.
    pub fn into_fault(mut self) -> Fault {
        self.found.sort_by_key(|problem| problem.line);
        let count = match self.found.len() {
            1 => "1 problem".to_owned(),
            count => format!("{count} problems"),
        };
        let lines: String = self.found.iter().map(|problem| format!("\n{problem}")).collect();
        let problems = serde_json::to_value(&self.found).unwrap_or_default();
        Fault::input(format!("nothing was imported, {count} found:{lines}")).with_problems(problems)
    }

    /// The same where there are any.
    pub fn check(self) -> Result<(), Fault> {
        if self.is_empty() { Ok(()) } else { Err(self.into_fault()) }
    }

    #[cfg(test)]
    pub fn text(&self) -> String {
        self.found.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }
}
