//! `vmacd inventory ...` and `vmacd switches ...`

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::examples::examples;
use super::parse::{duration, number};
use crate::domain::{Scope, SwitchName};

/// `vmacd inventory ...`
#[derive(Debug, Subcommand)]
pub enum InventoryVerb {
    /// Import switches and servers from a file, all or nothing; importing again updates them
    #[command(after_help = examples!["vmacd inventory import inventory.json", "vmacd inventory import servers.csv"])]
    Import {
        /// A .json or .toml file, or a table of servers (.csv, .tsv, .txt) with the columns id, pxe_mac, primary_ip,
        /// vlan_name, switch and interface
        file: PathBuf,
    },
    /// Print the inventory as JSON
    #[command(after_help = examples!["vmacd inventory export > inventory.json"])]
    Export,
    /// Remove a switch or a server that nothing needs any more
    #[command(after_help = examples![
        "vmacd inventory remove server 1042",
        "vmacd inventory remove switch sw-a1 --with-rows     # revokes its virtual MACs first",
    ])]
    Remove {
        /// What to remove
        #[command(subcommand)]
        item: RemoveItem,
    },
}

/// `vmacd inventory remove ...`
#[derive(Debug, Subcommand)]
pub enum RemoveItem {
    /// Remove a switch, with the ports that servers have on it; its pushes and backups stay
    #[command(after_help = examples!["vmacd inventory remove switch sw-a1"])]
    Switch {
        /// The switch
        name: SwitchName,
        /// How.
        #[command(flatten)]
        options: RemoveOptions,
    },
    /// Remove a server
    #[command(after_help = examples!["vmacd inventory remove server 1042 --with-rows --requested-by ops"])]
    Server {
        /// The server's number
        #[arg(value_parser = number)]
        id: i64,
        /// How.
        #[command(flatten)]
        options: RemoveOptions,
    },
}

/// What is done with what needs it.
#[derive(Debug, Args)]
pub struct RemoveOptions {
    /// Revoke the virtual MACs that need it first, and release reservations; waits until the switches have them removed
    #[arg(long)]
    pub with_rows: bool,
    /// How long to wait for that
    #[arg(long, value_name = "SPAN", default_value = "10m", value_parser = duration)]
    pub timeout: Duration,
    /// Who is asking; stored with the revokes
    #[arg(long, value_name = "NAME")]
    pub requested_by: Option<String>,
}

/// `vmacd switches ...`
#[derive(Debug, Subcommand)]
pub enum SwitchesVerb {
    /// List the switches with their state
    #[command(after_help = examples!["vmacd switches list", "vmacd switches list --site ams1"])]
    List {
        /// Only the switches of this site; `-` for switches without a site
        #[arg(long, value_name = "SITE")]
        site: Option<Scope>,
    },
    /// Test every step of a push, and change nothing
    #[command(after_help = examples!["vmacd switches check sw-a1"])]
    Check {
        /// The switch
        name: SwitchName,
    },
    /// Pin the host key that the switch shows now; asks before it replaces a pinned key
    #[command(after_help = examples![
        "vmacd switches trust sw-a1",
        "vmacd switches trust sw-a1 --fingerprint SHA256:uwhWTGsAcUyHvgpd8lxjmLWzXMbcMWPwGOKOgRO8Lm4",
    ])]
    Trust {
        /// The switch
        name: SwitchName,
        /// Pin only this key (SHA256:...), without asking
        #[arg(long)]
        fingerprint: Option<String>,
        /// Replace a pinned key without asking
        #[arg(long, short)]
        yes: bool,
    },
}
