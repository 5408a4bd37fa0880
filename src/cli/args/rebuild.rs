//! `vmacd rebuild`

use clap::Args;

use super::examples::examples;

/// `vmacd rebuild`
#[derive(Debug, Args)]
#[command(after_help = examples![
    "vmacd rebuild --since 3h --dry-run                          # what would be done",
    "vmacd rebuild --since 2026-11-29T10:00:00Z --yes            # the time of the backup that was restored",
    "vmacd rebuild --since 3h --yes --thaw --json > report.json",
])]
pub struct RebuildArgs {
    /// Read the archive of commands from this time on (RFC 3339), or for this long until now: since a little before the
    /// backup that was restored, or since ever if the database is new
    #[arg(long, value_name = "TIME|SPAN")]
    pub since: String,
    /// Show what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask for confirmation
    #[arg(long, conflicts_with = "dry_run")]
    pub yes: bool,
    /// Thaw the sites at the end if no problem was found; otherwise they stay frozen until `vmacd thaw --all`
    #[arg(long, conflicts_with = "dry_run")]
    pub thaw: bool,
}
