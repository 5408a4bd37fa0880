//! `vmacd create`, `move`, `rotate` and `revoke`.

use std::time::Duration;

use clap::Args;

use super::examples::examples;
use super::parse::{duration, number};
use crate::domain::{GroupName, Mac, PoolName, VlanName};

/// Who and which address.
#[derive(Debug, Args)]
pub struct Target {
    /// The server's number in the panel
    #[arg(long, value_parser = number)]
    pub server: i64,
    /// The address, or the subnet.
    #[command(flatten)]
    pub which: Which,
    /// Who is asking; stored with the row
    #[arg(long)]
    pub requested_by: Option<String>,
    /// Your own reference, such as an order number; stored with the row
    #[arg(long)]
    pub reference: Option<String>,
    /// The message id; repeating the command with the same id is harmless [default: a new id]
    #[arg(long)]
    pub message_id: Option<String>,
    /// Wait for the outcome
    #[arg(long)]
    pub wait: bool,
    /// Show what would change on each switch, and change nothing
    #[arg(long, conflicts_with = "wait")]
    pub dry_run: bool,
    /// Longest time to wait
    #[arg(long, default_value = "60s", value_parser = duration)]
    pub timeout: Duration,
}

/// One address, or each address of a subnet.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Which {
    /// The address
    #[arg(long)]
    pub ip: Option<String>,
    /// A subnet; the request is made for each address in it (10.0.48.8/29)
    #[arg(long)]
    pub subnet: Option<String>,
}

/// `vmacd create`
#[derive(Debug, Args)]
#[command(after_help = examples![
    "vmacd create --server 1042 --ip 10.0.48.6 --wait",
    "vmacd create --server 1042 --ip 10.0.48.6 --vlan VLAN.13 --reference order-7781",
    "vmacd create --server 1042 --ip 10.0.48.6 --message-id order-7781    # safe to repeat",
    "vmacd create --server 1042 --subnet 10.0.48.8/29 --wait              # all six addresses, one outcome each",
    "vmacd create --server 1042 --ip 10.0.48.9 --group lb-7 --mac 00:00:5e:00:01:33    # shared, as VRRP does",
    "vmacd create --server 1042 --ip 2001:db8:48::6 --wait                # IPv6, on ELS switches",
    "vmacd create --server 1042 --ip 10.0.48.6 --dry-run                  # each switch shows what it would change",
])]
pub struct CreateArgs {
    /// Who and which address.
    #[command(flatten)]
    pub target: Target,
    /// The VLAN of the binding [default: found from the inventory or the switch]
    #[arg(long)]
    pub vlan: Option<VlanName>,
    /// The MAC to bind [default: the reserved one, or one from the pool]
    #[arg(long)]
    pub mac: Option<Mac>,
    /// The pool that the MAC is taken from [default: the one that serves the VLAN or the switch]
    #[arg(long)]
    pub pool: Option<PoolName>,
    /// The group of servers that share the address: the first create makes it, the others join it
    #[arg(long)]
    pub group: Option<GroupName>,
}

/// `vmacd move`
#[derive(Debug, Args)]
#[command(after_help = examples![
    "vmacd move --server 1042 --ip 10.0.48.6 --to 1043 --wait",
    "vmacd move --server 1042 --subnet 10.0.48.8/29 --to 1043 --wait    # every address of the subnet",
])]
pub struct MoveArgs {
    /// Who and which address.
    #[command(flatten)]
    pub target: Target,
    /// The server to move the address to
    #[arg(long, value_name = "SERVER", value_parser = number)]
    pub to: i64,
    /// The VLAN of the binding there [default: found from the inventory or the switch]
    #[arg(long)]
    pub vlan: Option<VlanName>,
}

/// `vmacd rotate`
#[derive(Debug, Args)]
#[command(after_help = examples!["vmacd rotate --server 1042 --ip 10.0.48.6 --wait"])]
pub struct RotateArgs {
    /// Who and which address.
    #[command(flatten)]
    pub target: Target,
    /// The new MAC [default: a random one]
    #[arg(long)]
    pub mac: Option<Mac>,
}

/// `vmacd revoke`
#[derive(Debug, Args)]
#[command(after_help = examples!["vmacd revoke --server 1042 --ip 10.0.48.6 --wait --timeout 5m", "vmacd revoke --server 1042 --subnet 10.0.48.8/29", "vmacd revoke --server 1042 --ip 10.0.48.6 --dry-run"])]
pub struct RevokeArgs {
    /// Who and which address.
    #[command(flatten)]
    pub target: Target,
}
