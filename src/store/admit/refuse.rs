//! Why a command cannot be done. Pure.

use chrono::{DateTime, Utc};

use super::decision::{CommandVerdict, place};
use super::incoming::Incoming;
use super::read::Snapshot;
use crate::domain::{Code, Command, Desired, Failure};
use crate::store::vmacs::Vmac;

/// How far ahead of the database's clock a time of issue may be, milliseconds.
const AHEAD_MAX_MS: i64 = 300_000;

/// What is decided without the rows: known outcomes, wrong clocks, unknown servers.
pub(super) fn early_verdict(incoming: &Incoming, snapshot: &Snapshot, now: DateTime<Utc>) -> Option<CommandVerdict> {
    let known = snapshot.commands.get(&incoming.key)?;
    if known.outcome.is_some() && incoming.replay_number <= known.command.replay_number {
        return Some(CommandVerdict::Answered);
    }
    // A command that was admitted before stays admitted, even if the clock is set back while it waits.
    let is_admitted = !known.is_new && known.outcome.is_none();
    let failure =
        (!is_admitted).then(|| too_far_ahead(incoming, now)).flatten().or_else(|| refusal(incoming, snapshot));
    failure.map(CommandVerdict::Failed)
}

fn too_far_ahead(incoming: &Incoming, now: DateTime<Utc>) -> Option<Failure> {
    let ahead_ms = incoming.issued.earliest_ms()?.saturating_sub(now.timestamp_millis());
    let text = || {
        let ahead_s = ahead_ms / 1000;
        format!("issued {ahead_s} s ahead of the database's clock ({}); at most 300 s are allowed", now.to_rfc3339())
    };
    (ahead_ms > AHEAD_MAX_MS).then(|| Failure::new(Code::IssuedInFuture, text()))
}

fn refusal(incoming: &Incoming, snapshot: &Snapshot) -> Option<Failure> {
    let (server_id, ip) = place(incoming);
    let Some(server) = snapshot.servers.get(&server_id) else {
        let text = format!("the inventory has no server {server_id}; import it, then replay");
        return Some(Failure::new(Code::UnknownServer, text));
    };
    if server.ports.is_empty() {
        let text = format!("the inventory has no port of server {server_id}; import its ports, then replay");
        return Some(Failure::new(Code::ServerWithoutPort, text));
    }
    snapshot.primaries.get(&ip).map(|owner| {
        let text = format!("{ip} is the primary address of server {owner}, which keeps its PXE MAC");
        Failure::new(Code::PrimaryAddress, text)
    })
}

pub(super) fn not_bound(command: &Command, server_id: i64) -> Failure {
    let text = format!("{} has no virtual MAC on server {server_id}; create it, then replay", command.ip_address);
    Failure::new(Code::NotBound, text)
}

/// The failure of a command for an address that another server has.
pub(super) fn address_taken(row: &Vmac) -> Failure {
    let (ip, server_id) = (row.ip_address, row.server_id);
    match row.desired {
        Desired::Bound => Failure::new(
            Code::AddressTaken,
            match &row.group {
                Some(group) => {
                    format!("{ip} is shared by the servers of group {group}; a create that names it joins them")
                }
                None => format!("{ip} has a virtual MAC for server {server_id}; revoke it there first, then replay"),
            },
        ),
        Desired::Unbound => {
            Failure::new(Code::AddressReleasing, format!("{ip} is still being removed from server {server_id}"))
        }
    }
}

pub(super) fn differs(row: &Vmac, incoming: &Incoming) -> Option<Failure> {
    let command = &incoming.command;
    let text = match (command.mac_address, &command.vlan_name, &row.vlan_name) {
        (Some(mac), _, _) if mac != row.mac_address => {
            format!("{} is bound to {}, not to {mac}", row.ip_address, row.mac_address)
        }
        (_, Some(asked), Some(vlan)) if asked != vlan => {
            format!("{} is bound in VLAN {vlan}, not in {asked}", row.ip_address)
        }
        _ if command.group.is_some() && command.group != row.group => match &row.group {
            Some(group) => format!("{} is shared by group {group}", row.ip_address),
            None => format!("{} is not shared by a group", row.ip_address),
        },
        _ => return None,
    };
    Some(Failure::new(Code::BoundDifferently, format!("{text}; revoke it first, or leave these fields out")))
}
