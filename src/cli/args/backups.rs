//! `vmacd backups ...`

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::examples::examples;
use super::parse::{duration, number};
use crate::domain::SwitchName;

/// `vmacd backups ...`
#[derive(Debug, Subcommand)]
pub enum BackupsVerb {
    /// List the backups of a switch, newest first
    #[command(after_help = examples!["vmacd backups list sw-a1"])]
    List {
        /// The switch
        switch: SwitchName,
    },
    /// Print one backup with its secrets hidden
    #[command(after_help = examples!["vmacd backups show 41"])]
    Show {
        /// Its id
        #[arg(value_parser = number)]
        id: i64,
        /// Print the secrets too (needed to load the backup); to a file or a pipe, byte for byte
        #[arg(long)]
        with_secrets: bool,
    },
    /// Print what changed between two backups
    #[command(after_help = examples!["vmacd backups diff 41", "vmacd backups diff 41 57"])]
    Diff {
        /// Id of the older backup
        #[arg(value_parser = number)]
        from: i64,
        /// Id of the newer backup [default: the next backup of the same switch]
        #[arg(value_parser = number)]
        to: Option<i64>,
    },
    /// Restore a switch's whole configuration from a backup
    Restore(RestoreArgs),
    /// Create a key to encrypt backups with, for `backups.key_file`
    #[command(after_help = examples!["vmacd backups keygen /etc/vmacd/backups.key", "vmacd backups keygen       # prints it"])]
    Keygen {
        /// The file to create; only its owner may read it [default: print the key]
        file: Option<PathBuf>,
    },
}

/// `vmacd backups restore`
#[derive(Debug, Args)]
#[command(after_help = examples![
    "vmacd backups restore sw-a1 41 --dry-run    # shows the difference, as the switch computes it",
    "vmacd backups restore sw-a1 41              # asks before it changes anything",
    "vmacd backups restore sw-a1 41 --yes",
])]
pub struct RestoreArgs {
    /// The switch
    pub switch: SwitchName,
    /// The backup's id
    #[arg(value_parser = number)]
    pub id: i64,
    /// Do not ask for confirmation
    #[arg(long, short, conflicts_with = "dry_run")]
    pub yes: bool,
    /// Only show what would change
    #[arg(long)]
    pub dry_run: bool,
    /// Restore even if the switch's site is frozen
    #[arg(long)]
    pub despite_freeze: bool,
    /// Longest time to wait for a worker that is pushing to the switch
    #[arg(long, default_value = "2m", value_parser = duration)]
    pub timeout: Duration,
}
