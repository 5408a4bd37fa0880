//! `vmacd completions`, `vmacd man` and `vmacd config --example`: made from what the program knows of itself.

use std::path::Path;

use clap_complete::Shell;

use crate::cli::args::command;
use crate::cli::fault::Fault;
use crate::cli::terminal::streams::write_text;
use crate::config;

/// Prints the completions for a shell.
pub fn completions(shell: Shell) -> Result<(), Fault> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command(), "vmacd", &mut script);
    write_text(&String::from_utf8_lossy(&script))?;
    Ok(())
}

/// Writes the man pages, one a verb, into a folder.
pub fn man(folder: &Path) -> Result<(), Fault> {
    let written = std::fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(command(), folder));
    written.map_err(|error| Fault::input(format!("cannot write man pages into {}: {error}", folder.display())))
}

/// Prints a commented `vmacd.toml`.
pub fn example() -> Result<(), Fault> {
    write_text(&config::example())?;
    Ok(())
}
