//! The global options, and every verb.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

use super::access::{AuditLogVerb, TokensVerb};
use super::adopt::AdoptArgs;
use super::audit::AuditArgs;
use super::backups::BackupsVerb;
use super::database::{BackupArgs, MigrateArgs};
use super::dead_letters::DeadLettersVerb;
use super::examples::examples;
use super::freezes::{FreezeArgs, ThawArgs};
use super::inventory::{InventoryVerb, SwitchesVerb};
use super::macs::{MacsVerb, ReleaseArgs, ReserveArgs};
use super::rebuild::RebuildArgs;
use super::sim::{DemoArgs, SimArgs};
use super::vmac_requests::{CreateArgs, MoveArgs, RevokeArgs, RotateArgs};
use super::vmac_views::{HistoryArgs, ListArgs, ShowArgs};
use super::webhooks::WebhooksVerb;

/// Binds virtual MAC addresses to extra IP addresses on Juniper switch ports.
#[derive(Debug, Parser)]
#[command(name = "vmacd", version, max_term_width = 100)]
#[command(after_help = examples![
    "vmacd demo                                         # the whole product in one process",
    "vmacd create --server 1042 --ip 10.0.48.6 --wait",
    "vmacd list --status failed",
    "vmacd dead-letters list",
])]
pub struct Cli {
    /// Settings file (TOML) [env: VMACD_CONFIG]; for `sim`: the switch configuration to start from
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print data as JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// Colours [default: on a terminal, unless NO_COLOR is set]
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t = ColorWhen::Auto, hide_default_value = true)]
    pub color: ColorWhen,
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// When colours are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ColorWhen {
    /// On a terminal, unless the environment says otherwise (NO_COLOR, CLICOLOR, CLICOLOR_FORCE)
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Try the whole product in one process: simulated switches, SQLite, the embedded queue
    Demo(DemoArgs),
    /// Run the worker, the dead-letter collector and the API
    #[command(after_help = examples!["vmacd serve", "vmacd serve --config /etc/vmacd/vmacd.toml"])]
    Serve,
    /// Request a virtual MAC for an address of a server
    Create(CreateArgs),
    /// Move an address with its virtual MAC to another server
    Move(MoveArgs),
    /// Give an address another virtual MAC
    Rotate(RotateArgs),
    /// Remove the virtual MAC of an address; its server keeps its own MAC
    Revoke(RevokeArgs),
    /// List virtual MACs
    List(ListArgs),
    /// Show one virtual MAC with its bindings and its history
    Show(ShowArgs),
    /// Show who had an address: every server, MAC, port and reason there ever was, also after old rows were removed
    History(HistoryArgs),
    /// Reserve a MAC for a server's address in advance; repeating it prints the same MAC
    Reserve(ReserveArgs),
    /// Release a reserved MAC
    Release(ReleaseArgs),
    /// List the reserved MACs
    #[command(after_help = examples!["vmacd reservations", "vmacd reservations --json"])]
    Reservations,
    /// Show how full the pools of MACs are
    #[command(after_help = examples!["vmacd pools", "vmacd pools --json"])]
    Pools,
    /// Import MACs that are in use elsewhere
    #[command(subcommand)]
    Macs(MacsVerb),
    /// List, replay or discard dead letters: requests that failed
    #[command(subcommand)]
    DeadLetters(DeadLettersVerb),
    /// Send events to other systems and to Slack over HTTP: add and test webhooks, list and replay deliveries
    #[command(subcommand)]
    Webhooks(WebhooksVerb),
    /// Import or export the inventory of switches and servers, or remove one of them
    #[command(subcommand)]
    Inventory(InventoryVerb),
    /// List and check the switches, pin their host keys
    #[command(subcommand)]
    Switches(SwitchesVerb),
    /// List, compare and restore configuration backups
    #[command(subcommand)]
    Backups(BackupsVerb),
    /// Compare the switches with the database, and repair vmacd's own bindings with --fix
    Audit(AuditArgs),
    /// Pause a site until a time: nothing is committed on its switches
    Freeze(FreezeArgs),
    /// End a freeze; work continues within seconds
    Thaw(ThawArgs),
    /// List the frozen sites
    #[command(after_help = examples!["vmacd freezes", "vmacd freezes --json"])]
    Freezes,
    /// Adopt bindings that are already on the switches as virtual MACs
    Adopt(AdoptArgs),
    /// After the database was restored or lost: read the switches and the archive of commands, and bring back what it lacks
    Rebuild(RebuildArgs),
    /// Make, list, rotate or revoke tokens of the API and the pages
    #[command(subcommand)]
    Tokens(TokensVerb),
    /// List who changed what, and check that the log is as it was written
    #[command(subcommand)]
    AuditLog(AuditLogVerb),
    /// Bring the database's tables up to date
    Migrate(MigrateArgs),
    /// Copy the whole database to a file while workers run (SQLite; for Postgres it prints the command)
    Backup(BackupArgs),
    /// Print the current settings with secrets hidden
    #[command(after_help = examples!["vmacd config", "vmacd config --json", "vmacd config --example > vmacd.toml"])]
    Config {
        /// Print a commented `vmacd.toml` with every setting at its default instead
        #[arg(long)]
        example: bool,
    },
    /// Print completions for a shell
    #[command(after_help = examples!["vmacd completions bash > /etc/bash_completion.d/vmacd"])]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write man pages, one for each command
    #[command(after_help = examples!["vmacd man /usr/local/share/man/man1"])]
    Man {
        /// The folder; created if it is missing
        folder: PathBuf,
    },
    /// Run simulated switches on real ports
    Sim(SimArgs),
}
