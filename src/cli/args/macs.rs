//! `vmacd pools`, `vmacd reserve`, `vmacd release`, `vmacd reservations` and `vmacd macs ...`

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::examples::examples;
use super::parse::number;
use crate::domain::{BindableAddress, Mac, PoolName};

/// `vmacd reserve`
#[derive(Debug, Args)]
#[command(after_help = examples![
    "vmacd reserve --server 1042 --ip 10.0.48.6",
    "vmacd reserve --server 1042 --ip 10.0.48.6 --mac 02:a5:10:00:00:07",
    "vmacd reserve --server 1042 --ip 10.0.48.6 --pool customers --json",
])]
pub struct ReserveArgs {
    /// The server's number in the panel; it may be missing from the inventory
    #[arg(long, value_parser = clap::value_parser!(i64).range(1..))]
    pub server: i64,
    /// Its address
    #[arg(long)]
    pub ip: BindableAddress,
    /// The MAC [default: one from the pool]
    #[arg(long)]
    pub mac: Option<Mac>,
    /// The pool [default: the one that a create would use]
    #[arg(long)]
    pub pool: Option<PoolName>,
}

/// `vmacd release`
#[derive(Debug, Args)]
#[command(after_help = examples!["vmacd release --server 1042 --ip 10.0.48.6"])]
pub struct ReleaseArgs {
    /// The server
    #[arg(long, value_parser = number)]
    pub server: i64,
    /// Its address
    #[arg(long)]
    pub ip: BindableAddress,
}

/// `vmacd macs ...`
#[derive(Debug, Subcommand)]
pub enum MacsVerb {
    /// Import MACs that are in use elsewhere, so that vmacd does not hand them out; importing again changes nothing
    #[command(after_help = examples![
        "vmacd macs import used.csv                          # a column mac or mac_address, optionally description",
        "vmacd macs import interfaces.csv --format netbox    # lines without a MAC are skipped",
        "vmacd macs import mac-addresses.json --source netbox-fra",
    ])]
    Import {
        /// The file
        file: PathBuf,
        /// Where the MACs come from, stored with each [default: the file's name]
        #[arg(long)]
        source: Option<String>,
        /// The file's format [default: by its ending, .csv or .json]
        #[arg(long, value_enum)]
        format: Option<MacsFormat>,
    },
}

/// What a file of MACs is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum MacsFormat {
    /// CSV in which every line has a MAC
    Csv,
    /// An export of NetBox's interfaces or MAC addresses, CSV or JSON
    Netbox,
}
