//! `vmacd migrate` and `vmacd backup`

use std::path::PathBuf;

use clap::Args;

use super::examples::examples;

/// `vmacd migrate`
#[derive(Debug, Args)]
#[command(after_help = examples!["vmacd migrate --plan", "vmacd migrate"])]
pub struct MigrateArgs {
    /// Show what would be done, what it locks for how long, and whether running workers may go on; changes nothing
    #[arg(long)]
    pub plan: bool,
}

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
