//! `vmacd backup`

use std::path::PathBuf;

use clap::Args;

use super::examples;

/// `vmacd backup`
#[derive(Debug, Args)]
#[command(after_help = examples![
    "vmacd backup /var/backups/vmacd.db",
    "vmacd backup vmacd-copy.db --overwrite",
])]
pub struct BackupArgs {
    /// The file, which only its owner may read
    pub file: PathBuf,
    /// Replace a file of that name, once the copy is whole
    #[arg(long)]
    pub overwrite: bool,
}
