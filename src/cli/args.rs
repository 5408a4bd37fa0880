//! The command line as types: every verb, flag, unit and default.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::domain::{Mac, Status, SwitchName, VlanName};

/// Binds virtual MAC addresses to extra IP addresses on Juniper switch ports.
#[derive(Debug, Parser)]
#[command(name = "vmacd", version, max_term_width = 100)]
pub struct Cli {
    /// Settings file (TOML) [env: VMACD_CONFIG]; for `sim`: the switch configuration to start from
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print data as JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Show the whole product in one process: simulated switches, SQLite, the embedded queue
    Demo(DemoArgs),
    /// Run the worker, the dead-letter collector and the API
    Serve,
    /// Ask for a virtual MAC on an address of a server
    #[command(after_help = "Example: vmacd create --server 1042 --ip 10.0.48.6 --wait")]
    Create(CreateArgs),
    /// Take the virtual MAC off an address of a server
    #[command(after_help = "Example: vmacd revoke --server 1042 --ip 10.0.48.6 --wait")]
    Revoke(RevokeArgs),
    /// List virtual MACs
    List(ListArgs),
    /// Show one virtual MAC with its bindings and its history
    Show {
        /// An IP address, a MAC or a row's id
        what: String,
    },
    /// Look at what could not be done, send it again or put it aside
    #[command(subcommand)]
    DeadLetters(DeadLettersVerb),
    /// Bring the inventory of switches and servers in or out
    #[command(subcommand)]
    Inventory(InventoryVerb),
    /// Look at the switches and pin their host keys
    #[command(subcommand)]
    Switches(SwitchesVerb),
    /// Look at the configuration backups
    #[command(subcommand)]
    Backups(BackupsVerb),
    /// Bring the database's tables up to date
    Migrate,
    /// Print the settings in force, secrets hidden
    Config {
        /// Print a commented `vmacd.toml` with every setting at its default instead.
        #[arg(long)]
        example: bool,
    },
    /// Print completions for a shell
    #[command(after_help = "Example: vmacd completions bash > /etc/bash_completion.d/vmacd")]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write man pages, one a verb
    #[command(after_help = "Example: vmacd man /usr/local/share/man/man1")]
    Man {
        /// The folder, made where it is missing
        folder: PathBuf,
    },
    /// Run simulated switches on real ports
    #[command(after_help = "Example: vmacd sim --switches 3 --inventory estate.json, \
                            then: vmacd inventory import estate.json")]
    Sim(SimArgs),
}

/// `vmacd demo`
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// End after the tour instead of staying up
    #[arg(long)]
    pub exit: bool,
}

/// Who and which address.
#[derive(Debug, Args)]
pub struct Target {
    /// The server's number in the panel
    #[arg(long)]
    pub server: i64,
    /// The address
    #[arg(long)]
    pub ip: String,
    /// Who asks, kept on the row
    #[arg(long)]
    pub requested_by: Option<String>,
    /// Your own reference, such as an order number, kept on the row
    #[arg(long)]
    pub reference: Option<String>,
    /// The message's id, which makes repeating the command harmless [default: a new one]
    #[arg(long)]
    pub message_id: Option<String>,
    /// Wait for the outcome
    #[arg(long)]
    pub wait: bool,
    /// Longest time to wait
    #[arg(long, default_value = "60s", value_parser = duration)]
    pub timeout: Duration,
}

/// `vmacd create`
#[derive(Debug, Args)]
pub struct CreateArgs {
    /// Who and which address.
    #[command(flatten)]
    pub target: Target,
    /// The VLAN of the binding [default: found from the inventory or the switch]
    #[arg(long)]
    pub vlan: Option<VlanName>,
    /// The MAC to bind [default: a random one]
    #[arg(long)]
    pub mac: Option<Mac>,
}

/// `vmacd revoke`
#[derive(Debug, Args)]
pub struct RevokeArgs {
    /// Who and which address.
    #[command(flatten)]
    pub target: Target,
}

/// `vmacd list`
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Only those with this status: pending, active, failed, revoked
    #[arg(long)]
    pub status: Option<Status>,
    /// Only those on this switch
    #[arg(long)]
    pub switch: Option<SwitchName>,
    /// Only those of this server
    #[arg(long)]
    pub server: Option<i64>,
    /// At most so many
    #[arg(long, default_value_t = 1000)]
    pub limit: i64,
}

/// `vmacd dead-letters ...`
#[derive(Debug, Subcommand)]
pub enum DeadLettersVerb {
    /// List those that wait
    List(DeadLetterSelection),
    /// Show one with its original bytes and headers
    Show {
        /// Its id
        id: i64,
    },
    /// Send them to the work queue again, with their attempts reset
    Replay(DeadLetterChange),
    /// Put them aside for good
    Discard(DeadLetterChange),
}

/// Which dead letters.
#[derive(Debug, Args)]
pub struct DeadLetterSelection {
    /// These ids
    #[arg(long, value_delimiter = ',')]
    pub id: Vec<i64>,
    /// All that wait
    #[arg(long)]
    pub all: bool,
    /// Those with this reason code
    #[arg(long)]
    pub reason: Option<String>,
    /// Those of this switch
    #[arg(long)]
    pub switch: Option<SwitchName>,
    /// Those whose last failure is at most so long ago (2h, 3d) or after this time (RFC 3339)
    #[arg(long)]
    pub since: Option<String>,
}

/// Which dead letters to change.
#[derive(Debug, Args)]
pub struct DeadLetterChange {
    /// Which.
    #[command(flatten)]
    pub selection: DeadLetterSelection,
    /// Only say what would be done
    #[arg(long)]
    pub dry_run: bool,
}

/// `vmacd inventory ...`
#[derive(Debug, Subcommand)]
pub enum InventoryVerb {
    /// Read switches and servers from a file (.json, .toml; servers also .csv); again updates
    Import {
        /// The file
        file: PathBuf,
    },
    /// Print the inventory as JSON
    Export,
}

/// `vmacd switches ...`
#[derive(Debug, Subcommand)]
pub enum SwitchesVerb {
    /// List the switches and how they are
    List,
    /// Try everything a push needs, step by step, and change nothing
    Check {
        /// The switch
        name: SwitchName,
    },
    /// Pin the host key that the switch shows now
    Trust {
        /// The switch
        name: SwitchName,
        /// Pin only if it is this one (SHA256:...)
        #[arg(long)]
        fingerprint: Option<String>,
    },
}

/// `vmacd backups ...`
#[derive(Debug, Subcommand)]
pub enum BackupsVerb {
    /// List the backups of a switch, newest first
    List {
        /// The switch
        switch: SwitchName,
    },
    /// Print one backup, its secrets hidden
    Show {
        /// Its id
        id: i64,
        /// Print the secrets too, as they must be to load the backup
        #[arg(long)]
        with_secrets: bool,
    },
    /// Print what changed between two backups
    Diff {
        /// The older one's id
        from: i64,
        /// The newer one's id [default: the next one of the same switch]
        to: Option<i64>,
    },
    /// Print a new key that seals backups, as the content of `backups.key_file`
    Keygen,
}

/// `vmacd sim`
#[derive(Debug, Args)]
pub struct SimArgs {
    /// How many switches
    #[arg(long, default_value_t = 1)]
    pub switches: usize,
    /// Server ports on each, with one server each
    #[arg(long, default_value_t = 4)]
    pub ports_per_switch: usize,
    /// The first switch's TCP port; the others follow (0: free ports)
    #[arg(long, default_value_t = 8300)]
    pub port: u16,
    /// The address to listen on
    #[arg(long, default_value = "127.0.0.1", value_name = "ADDRESS")]
    pub listen: std::net::IpAddr,
    /// The host that the inventory names, where others reach them under another name
    #[arg(long, value_name = "HOST")]
    pub advertise: Option<String>,
    /// The configuration dialect they speak
    #[arg(long, value_enum, default_value_t = SimDialect::NonEls)]
    pub dialect: SimDialect,
    /// How long a commit takes
    #[arg(long, default_value = "0s", value_parser = duration)]
    pub commit_time: Duration,
    /// The login they take
    #[arg(long, default_value = "vmacd")]
    pub user: String,
    /// Its password
    #[arg(long, default_value = "vmacd")]
    pub password: String,
    /// Write an inventory of them here
    #[arg(long, value_name = "FILE")]
    pub inventory: Option<PathBuf>,
    /// A Unix socket at which they take orders while they run, such as `sw-001 fault lock_denied`
    #[arg(long, value_name = "FILE")]
    pub control: Option<PathBuf>,
    /// Connections each accepts in a minute [default: no limit]
    #[arg(long, value_name = "N")]
    pub rate_limit: Option<usize>,
    /// Speak old SSH only: what `ssh_profile = "legacy"` is for
    #[arg(long)]
    pub legacy_ssh: bool,
    /// A fault, such as reply_lost_after_commit@3; may be given more than once
    #[arg(long)]
    pub fault: Vec<String>,
    /// Seed of everything random
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// The dialects of the simulated switches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SimDialect {
    /// EX2200 to EX8200
    NonEls,
    /// EX2300 and later
    Els,
}

fn duration(text: &str) -> Result<Duration, humantime::DurationError> {
    humantime::parse_duration(text)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
