//! `vmacd demo` and `vmacd sim`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::examples::examples;
use super::parse::duration;

/// `vmacd demo`
#[derive(Debug, Args)]
#[command(after_help = examples!["vmacd demo", "vmacd demo --exit"])]
pub struct DemoArgs {
    /// Exit after the tour instead of staying up
    #[arg(long)]
    pub exit: bool,
}

/// `vmacd sim`
#[derive(Debug, Args)]
#[command(after_help = examples![
    "vmacd sim --switches 3 --inventory estate.json    # then: vmacd inventory import estate.json",
    "vmacd sim --dialect els --commit-time 20s --fault reply_lost_after_commit@3",
    "vmacd sim --rpc-time 400ms --read-rate 150KB/s --commit-time 12s --ports-per-switch 48 --bindings 2000 --config-size 1MB",
])]
pub struct SimArgs {
    /// Number of switches
    #[arg(long, default_value_t = 1)]
    pub switches: usize,
    /// Server ports on each switch, with one server each
    #[arg(long, default_value_t = 4)]
    pub ports_per_switch: usize,
    /// The first switch's TCP port; the others follow (0: free ports)
    #[arg(long, default_value_t = 8300)]
    pub port: u16,
    /// The address to listen on
    #[arg(long, default_value = "127.0.0.1", value_name = "ADDRESS")]
    pub listen: std::net::IpAddr,
    /// The host name to write into the inventory, if others reach them by another name
    #[arg(long, value_name = "HOST")]
    pub advertise: Option<String>,
    /// The switches' configuration dialect
    #[arg(long, value_enum, default_value_t = SimDialect::NonEls)]
    pub dialect: SimDialect,
    /// How long a commit takes
    #[arg(long, default_value = "0s", value_parser = duration)]
    pub commit_time: Duration,
    /// Delay of each NETCONF reply, in addition to the time that its request takes
    #[arg(long, default_value = "0s", value_parser = duration, value_name = "SPAN")]
    pub rpc_time: Duration,
    /// How fast each session receives NETCONF replies, such as 150KB/s [default: no limit]
    #[arg(long, value_parser = crate::sim::parse_rate, value_name = "RATE")]
    pub read_rate: Option<u64>,
    /// Bindings that each switch starts with in addition to its servers' own, spread over all ports
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub bindings: usize,
    /// Fill each configuration up to this size, such as 1MB [default: no filling]
    #[arg(long, value_parser = crate::sim::parse_bytes, value_name = "SIZE")]
    pub config_size: Option<u64>,
    /// The user name they accept
    #[arg(long, default_value = "vmacd")]
    pub user: String,
    /// That user's password
    #[arg(long, default_value = "vmacd")]
    pub password: String,
    /// Write an inventory of the switches to this file
    #[arg(long, value_name = "FILE")]
    pub inventory: Option<PathBuf>,
    /// A Unix socket that accepts commands while the switches run, such as `sw-001 fault lock_denied`
    #[arg(long, value_name = "FILE")]
    pub control: Option<PathBuf>,
    /// Connections that each switch accepts per minute [default: no limit]
    #[arg(long, value_name = "N")]
    pub rate_limit: Option<usize>,
    /// Offer only old SSH algorithms, to test `ssh_profile = "legacy"`
    #[arg(long)]
    pub legacy_ssh: bool,
    /// Where the switches refuse a MAC for a second address [default: vlan; with ELS: none]
    #[arg(long, value_enum, value_name = "RULE")]
    pub duplicates: Option<SimDuplicates>,
    /// A fault, such as reply_lost_after_commit@3; may be given more than once
    #[arg(long)]
    pub fault: Vec<String>,
    /// Seed for everything random
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

/// Where a simulated switch takes one MAC once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SimDuplicates {
    /// On the same port
    Port,
    /// In the same VLAN
    Vlan,
    /// Anywhere on the switch
    Switch,
    /// Nowhere: duplicates are accepted
    None,
}
