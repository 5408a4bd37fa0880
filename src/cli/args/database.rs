//! `vmacd backup`

use std::path::PathBuf;

use clap::Args;

use super::examples::examples;

/// `vmacd backup`
#[derive(Debug, Args)]
#[command(after_help = examples![
    "vmacd backup /var/backups/vmacd.db",
    "vmacd backup vmacd-copy.db --overwrite",
])]
pub struct BackupArgs {
    /// The file to write; only its owner may read it
    pub file: PathBuf,
    /// Replace an existing file once the copy is complete
    #[arg(long)]
    pub overwrite: bool,
}
