//! `vmacd completions`, `vmacd man` and `vmacd config --example`: made from what the program knows of itself.

use std::path::Path;

use clap_complete::Shell;

use super::args::command;
use super::fault::Fault;
use super::output::write_text;
use crate::config;

/// Prints the completions for a shell.
pub(super) fn completions(shell: Shell) -> Result<(), Fault> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command(), "vmacd", &mut script);
    write_text(&String::from_utf8_lossy(&script)).map(|_| ())
}

/// Writes the man pages, one a verb, into a folder.
pub(super) fn man(folder: &Path) -> Result<(), Fault> {
    let written = std::fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(command(), folder));
    written.map_err(|error| Fault::input(format!("cannot write man pages into {}: {error}", folder.display())))
}

/// Prints a commented `vmacd.toml`.
pub(super) fn example() -> Result<(), Fault> {
    write_text(&config::example()).map(|_| ())
}
