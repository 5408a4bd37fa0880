//! `vmacd create` and `vmacd revoke`.

use std::time::Duration;

use clap::Args;

use super::{duration, examples};
use crate::domain::{Mac, PoolName, VlanName};

/// Who and which address.
#[derive(Debug, Args)]
pub struct Target {
    /// The server's number in the panel
    #[arg(long)]
    pub server: i64,
    /// The address, or a subnet for each address in it (10.0.48.8/29)
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
#[command(after_help = examples![
    "vmacd create --server 1042 --ip 10.0.48.6 --wait",
    "vmacd create --server 1042 --ip 10.0.48.6 --vlan VLAN.13 --reference order-7781",
    "vmacd create --server 1042 --ip 10.0.48.6 --message-id order-7781    # again is harmless",
    "vmacd create --server 1042 --ip 10.0.48.8/29 --wait                  # all six addresses, an outcome for each",
])]
pub struct CreateArgs {
    /// Who and which address.
    #[command(flatten)]
    pub target: Target,
    /// The VLAN of the binding [default: found from the inventory or the switch]
    #[arg(long)]
    pub vlan: Option<VlanName>,
    /// The MAC to bind [default: the reserved one, or one of the pool]
    #[arg(long)]
    pub mac: Option<Mac>,
    /// The pool that the MAC is taken from [default: the one that serves the VLAN or the switch]
    #[arg(long)]
    pub pool: Option<PoolName>,
}

/// `vmacd revoke`
#[derive(Debug, Args)]
#[command(after_help = examples!["vmacd revoke --server 1042 --ip 10.0.48.6 --wait --timeout 5m", "vmacd revoke --server 1042 --ip 10.0.48.8/29"])]
pub struct RevokeArgs {
    /// Who and which address.
    #[command(flatten)]
    pub target: Target,
}
