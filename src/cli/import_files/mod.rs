//! Reads files to import as spreadsheets, editors and exports write them; every error has its line.
//!
//! `decode` makes text of bytes; `table` reads what a spreadsheet saves, `tree` JSON and TOML; `problems` is what is wrong.

mod decode;
mod problems;
mod table;
mod tree;

use std::path::Path;

use crate::cli::fault::Fault;
pub use problems::Problems;
pub use table::{Row, Table, normalized};
pub use tree::{Node, NodeAtLine, json, toml};

/// What a file is by the ending of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    Table,
    Json,
    Toml,
}

impl FileKind {
    /// None where the ending says nothing.
    pub fn of(file: &Path) -> Option<Self> {
        let ending = file.extension()?.to_str()?.to_ascii_lowercase();
        match ending.as_str() {
            "csv" | "tsv" | "tab" | "txt" => Some(Self::Table),
            "json" => Some(Self::Json),
            "toml" => Some(Self::Toml),
            _ => None,
        }
    }
}

/// Reads a text file; lines end with `\n` afterwards. Bytes that are no text are noted.
///
/// # Errors
/// When the file cannot be read.
pub fn read(file: &Path, problems: &mut Problems) -> Result<String, Fault> {
    let bytes = std::fs::read(file).map_err(|error| Fault::input(format!("{}: {error}", file.display())))?;
    Ok(decode::decode(&bytes, problems))
}
