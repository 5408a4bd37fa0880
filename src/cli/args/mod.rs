//! The command line as types: every verb, flag, unit and default. One file for what belongs together.

mod adopt;
mod audit;
mod backups;
mod dead_letters;
mod help;
mod inventory;
mod look;
mod requests;
mod sim;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};

pub use adopt::AdoptArgs;
pub use audit::AuditArgs;
pub use backups::{BackupsVerb, RestoreArgs};
pub use dead_letters::{DeadLetterChange, DeadLetterSelection, DeadLettersVerb};
pub use help::command;
use help::examples;
pub use inventory::{InventoryVerb, SwitchesVerb};
pub use look::{ListArgs, ShowArgs};
pub use requests::{CreateArgs, RevokeArgs, Target};
pub use sim::{DemoArgs, SimArgs, SimDialect};

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
    /// Show the whole product in one process: simulated switches, SQLite, the embedded queue
    Demo(DemoArgs),
    /// Run the worker, the dead-letter collector and the API
    #[command(after_help = examples!["vmacd serve", "vmacd serve --config /etc/vmacd/vmacd.toml"])]
    Serve,
    /// Ask for a virtual MAC on an address of a server
    Create(CreateArgs),
    /// Take the virtual MAC off an address of a server
    Revoke(RevokeArgs),
    /// List virtual MACs
    List(ListArgs),
    /// Show one virtual MAC with its bindings and its history
    Show(ShowArgs),
    /// Look at what could not be done, send it again or put it aside
    #[command(subcommand)]
    DeadLetters(DeadLettersVerb),
    /// Bring the inventory of switches and servers in or out
    #[command(subcommand)]
    Inventory(InventoryVerb),
    /// Look at the switches and pin their host keys
    #[command(subcommand)]
    Switches(SwitchesVerb),
    /// Look at the configuration backups and restore them
    #[command(subcommand)]
    Backups(BackupsVerb),
    /// Compare what the switches hold with the rows, and mend what is vmacd's
    Audit(AuditArgs),
    /// Take bindings that stand on the switches over as virtual MACs
    Adopt(AdoptArgs),
    /// Bring the database's tables up to date
    #[command(after_help = examples!["vmacd migrate"])]
    Migrate,
    /// Print the settings in force, secrets hidden
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
    /// Write man pages, one a verb
    #[command(after_help = examples!["vmacd man /usr/local/share/man/man1"])]
    Man {
        /// The folder, made where it is missing
        folder: PathBuf,
    },
    /// Run simulated switches on real ports
    Sim(SimArgs),
}

fn duration(text: &str) -> Result<Duration, humantime::DurationError> {
    humantime::parse_duration(text)
}
