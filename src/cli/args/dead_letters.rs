//! `vmacd dead-letters ...`

use clap::{Args, Subcommand};

use super::examples::examples;
use super::parse::number;
use crate::domain::SwitchName;

/// `vmacd dead-letters ...`
#[derive(Debug, Subcommand)]
pub enum DeadLettersVerb {
    /// List the waiting dead letters, newest first
    #[command(after_help = examples!["vmacd dead-letters list --reason unreachable", "vmacd dead-letters list --since 2h"])]
    List(DeadLetterSelection),
    /// Show one dead letter with its original bytes and headers
    #[command(after_help = examples!["vmacd dead-letters show 17"])]
    Show {
        /// Its id
        #[arg(value_parser = number)]
        id: i64,
    },
    /// Replay dead letters: send them to the work queue again, with their attempts reset
    #[command(after_help = examples![
        "vmacd dead-letters replay --switch sw-a1 --dry-run",
        "vmacd dead-letters replay --switch sw-a1 --since 2026-11-21T10:00:00Z",
        "vmacd dead-letters replay --id 17,18",
    ])]
    Replay(DeadLetterChange),
    /// Discard dead letters permanently
    #[command(after_help = examples![
        "vmacd dead-letters discard --id 17",
        "vmacd dead-letters discard --reason not_json         # asks first if there are several",
        "vmacd dead-letters discard --reason not_json --yes",
    ])]
    Discard {
        /// Which.
        #[command(flatten)]
        change: DeadLetterChange,
        /// Do not ask for confirmation
        #[arg(long, short, conflicts_with = "dry_run")]
        yes: bool,
    },
}

/// Which dead letters.
#[derive(Debug, Args)]
pub struct DeadLetterSelection {
    /// These ids
    #[arg(long, value_delimiter = ',', value_parser = number)]
    pub id: Vec<i64>,
    /// All waiting dead letters
    #[arg(long)]
    pub all: bool,
    /// Those with this reason code
    #[arg(long)]
    pub reason: Option<String>,
    /// Those of this switch
    #[arg(long)]
    pub switch: Option<SwitchName>,
    /// Those that last failed within this span (2h, 3d) or after this time (RFC 3339)
    #[arg(long)]
    pub since: Option<String>,
}

impl DeadLetterSelection {
    /// True if no selection was given.
    pub fn is_empty(&self) -> bool {
        let narrowed = self.reason.is_some() || self.switch.is_some() || self.since.is_some();
        self.id.is_empty() && !self.all && !narrowed
    }
}

/// Which dead letters to change.
#[derive(Debug, Args)]
pub struct DeadLetterChange {
    /// Which.
    #[command(flatten)]
    pub selection: DeadLetterSelection,
    /// Show what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
}
