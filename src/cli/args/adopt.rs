//! `vmacd adopt`

use clap::Args;

use super::examples::examples;
use crate::domain::SwitchName;

/// `vmacd adopt`
#[derive(Debug, Args)]
#[command(after_help = examples![
    "vmacd adopt --dry-run                       # what would be adopted, and what cannot be",
    "vmacd adopt --switch sw-a1 --switch sw-a2",
    "vmacd adopt --yes --json",
])]
pub struct AdoptArgs {
    /// Only this switch; may be given more than once [default: all of them]
    #[arg(long, value_name = "NAME")]
    pub switch: Vec<SwitchName>,
    /// Show what would be adopted, and adopt nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask for confirmation
    #[arg(long, conflicts_with = "dry_run")]
    pub yes: bool,
}
