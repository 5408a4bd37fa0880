//! `vmacd inventory ...` and `vmacd switches ...`

use std::path::PathBuf;

use clap::Subcommand;

use super::examples::examples;
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
