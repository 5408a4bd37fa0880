//! What each command of a group gets. Pure: it changes nothing but the picture of the world.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};

use super::Incoming;
use super::change::{bind, join, take_along, unbind};
use super::read::{Known, Place, World};
use crate::domain::{
    Action, BindableAddress, Code, Command, Desired, Failure, GroupName, IntentOrder, Mac, MessageKey, PoolName,
    VlanName,
};
use crate::store::commands::OpenCommand;
use crate::store::vmacs::Vmac;

/// How far ahead of the database's clock a time of issue may be, milliseconds.
const AHEAD_MAX_MS: i64 = 300_000;

/// What a command gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It has its outcome already.
    Answered,
    /// It drives the live row of its address, which may be yet to be allocated.
    OnRow,
    /// There is nothing to revoke.
    NothingToRevoke,
    /// A newer intent won.
    Superseded(IntentOrder),
    /// It cannot be done, or not now, by the failure's class.
    Failed(Failure),
}

/// A row to be made.
#[derive(Debug, Clone)]
pub(super) struct Allocation {
    /// What asks for it: a create, or a rotation, which has its row already.
    pub action: Action,
    pub place: Place,
    pub mac: Option<Mac>,
    pub pool: Option<PoolName>,
    pub vlan: Option<VlanName>,
    pub group: Option<GroupName>,
    pub requested_by: Option<String>,
    pub reference: Option<String>,
}

/// Everything that was decided for a group.
#[derive(Debug, Default)]
pub(super) struct Decision {
    pub verdicts: HashMap<MessageKey, Verdict>,
    /// Rows of these addresses changed.
    pub changed: BTreeSet<BindableAddress>,
    pub allocations: Vec<Allocation>,
    /// Other MACs for rows that are there.
    pub rotations: Vec<Allocation>,
    /// New newest intents.
    pub intents: BTreeMap<Place, IntentOrder>,
    /// Open commands of earlier groups that a new intent overtook.
    pub superseded: Vec<(OpenCommand, IntentOrder)>,
}

/// Decides for the group; the rows in `world` are changed as decided.
pub(super) fn decide(group: &[&Incoming], world: &mut World, now: DateTime<Utc>) -> Decision {
    let mut decision = Decision::default();
    let mut by_place: BTreeMap<Place, Vec<&Incoming>> = BTreeMap::new();
    for incoming in group {
        match at_the_door(incoming, world, now) {
            Some(verdict) => drop(decision.verdicts.insert(incoming.key.clone(), verdict)),
            None => by_place.entry(place(incoming)).or_default().push(incoming),
        }
    }
    let mut moves = Vec::new();
    for (place, mut commands) in by_place {
        commands.sort_by_key(|incoming| std::cmp::Reverse(order(incoming)));
        moves.extend(commands.extract_if(.., |incoming| incoming.command.from_server_id.is_some()));
        decide_place(place, &commands, world, &mut decision, now);
    }
    // One after another, because an address may be taken along twice.
    moves.sort_by_key(|incoming| order(incoming));
    for incoming in moves {
        decide_move(incoming, group, world, &mut decision, now);
    }
    decision
}

pub(super) fn place(incoming: &Incoming) -> Place {
    (incoming.command.server_id, incoming.command.ip_address)
}

fn order(incoming: &Incoming) -> IntentOrder {
    let action = incoming.command.action;
    IntentOrder { issued_at_ms: incoming.issued_at_ms, action, key: incoming.key.clone(), wants: action.wants() }
}

/// What can be said without looking at the place: known outcomes, wrong clocks, unknown servers.
fn at_the_door(incoming: &Incoming, world: &World, now: DateTime<Utc>) -> Option<Verdict> {
    let known = world.inbox.get(&incoming.key)?;
    if known.outcome.is_some() && incoming.replay_number <= known.command.replay_number {
        return Some(Verdict::Answered);
    }
    refusal(incoming, world, now).map(Verdict::Failed)
}

fn refusal(incoming: &Incoming, world: &World, now: DateTime<Utc>) -> Option<Failure> {
    let (server_id, ip) = place(incoming);
    if incoming.issued_at_ms > now.timestamp_millis() + AHEAD_MAX_MS {
        let ahead_s = (incoming.issued_at_ms - now.timestamp_millis()) / 1000;
        let text = format!("issued {ahead_s} s ahead of the database's clock ({}); at most 300 s", now.to_rfc3339());
        return Some(Failure::new(Code::IssuedInFuture, text));
    }
    let Some(server) = world.servers.get(&server_id) else {
        let text = format!("the inventory has no server {server_id}; import it, then replay");
        return Some(Failure::new(Code::UnknownServer, text));
    };
    if server.ports.is_empty() {
        let text = format!("the inventory knows no port of server {server_id}; import its ports, then replay");
        return Some(Failure::new(Code::ServerWithoutPort, text));
    }
    world.primaries.get(&ip).map(|owner| {
        let text = format!("{ip} is the primary address of server {owner}, which keeps its PXE MAC");
        Failure::new(Code::PrimaryAddress, text)
    })
}

/// Decides for one server's address, newest command first: the newest that can be done wins, older ones
/// join it where they ask for the same and are superseded where they do not.
fn decide_place(place: Place, commands: &[&Incoming], world: &mut World, decision: &mut Decision, now: DateTime<Utc>) {
    for incoming in commands {
        let order = order(incoming);
        let newest = newest(place, world, decision);
        let verdict = match newest {
            Some(newer) if order < newer && is_overtaken(&order, &newer) => Verdict::Superseded(newer),
            newest => {
                let verdict = take_effect(place, incoming, world, decision, now);
                // A revoke that is refused, because another server has the address, is what this server is to have all
                // the same.
                let stands = !matches!(verdict, Verdict::Failed(_)) || order.wants == Desired::Unbound;
                if stands && newest.is_none_or(|newer| order > newer) {
                    decision.intents.insert(place, order);
                }
                verdict
            }
        };
        decision.verdicts.insert(incoming.key.clone(), verdict);
    }
    supersede_open(place, commands, world, decision);
}

fn newest(place: Place, world: &World, decision: &Decision) -> Option<IntentOrder> {
    decision.intents.get(&place).or_else(|| world.intents.get(&place)).cloned()
}

/// Where the address was taken to another server, nothing older is to be done about it here.
fn is_overtaken(order: &IntentOrder, newer: &IntentOrder) -> bool {
    order.wants != newer.wants || (newer.action == Action::Move && newer.wants == Desired::Unbound)
}

/// Decides about a move: an intent for both servers, that the one loses the address and that the other has it. Anything
/// newer for the one it leaves, and a newer revoke for the other, wins.
fn decide_move(
    incoming: &Incoming,
    group: &[&Incoming],
    world: &mut World,
    decision: &mut Decision,
    now: DateTime<Utc>,
) {
    let Some(from) = incoming.command.from_server_id else { return };
    let (here, there) = ((from, incoming.command.ip_address), place(incoming));
    let arrives = order(incoming);
    let leaves = IntentOrder { wants: Desired::Unbound, ..arrives.clone() };
    let overtaken_here = newest(here, world, decision).filter(|newer| leaves < *newer && newer.key != leaves.key);
    let overtaken_there =
        newest(there, world, decision).filter(|newer| arrives < *newer && newer.wants != arrives.wants);
    let verdict = match overtaken_here.or(overtaken_there) {
        Some(newer) => Verdict::Superseded(newer),
        None => {
            let verdict = carry_along(from, incoming, world, decision, now);
            if !matches!(verdict, Verdict::Failed(_)) {
                decision.intents.insert(here, leaves);
                if newest(there, world, decision).is_none_or(|newer| arrives > newer) {
                    decision.intents.insert(there, arrives);
                }
                supersede_open(here, group, world, decision);
                supersede_open(there, group, world, decision);
            }
            verdict
        }
    };
    decision.verdicts.insert(incoming.key.clone(), verdict);
}

fn carry_along(
    from: i64,
    incoming: &Incoming,
    world: &mut World,
    decision: &mut Decision,
    now: DateTime<Utc>,
) -> Verdict {
    let (to, ip) = place(incoming);
    let server = world.servers.get(&to).cloned();
    let Some(row) = world.live.get_mut(&ip) else { return Verdict::Failed(not_bound(&incoming.command, from)) };
    let changed = match (has(row, from), has(row, to)) {
        (true, _) => {
            take_along(row, from, incoming, server.as_ref(), now);
            true
        }
        (false, true) => bind(row, incoming, server.as_ref(), now),
        (false, false) => return Verdict::Failed(taken(row)),
    };
    if changed {
        decision.changed.insert(ip);
    }
    Verdict::OnRow
}

fn not_bound(command: &Command, server_id: i64) -> Failure {
    let text = format!("{} has no virtual MAC on server {server_id}; create it, then replay", command.ip_address);
    Failure::new(Code::NotBound, text)
}

/// Open commands of earlier groups that want something else than the place's new newest intent.
fn supersede_open(place: Place, group: &[&Incoming], world: &World, decision: &mut Decision) {
    let Some(winner) = decision.intents.get(&place).cloned() else { return };
    let of_group = |command: &OpenCommand| group.iter().any(|incoming| incoming.key == command.key);
    for command in world.open.get(&place).into_iter().flatten() {
        let (action, key) = (command.action, command.key.clone());
        let order = IntentOrder { issued_at_ms: command.issued_at_ms, action, key, wants: action.wants() };
        if !of_group(command) && order.wants != winner.wants && order < winner {
            decision.superseded.push((command.clone(), winner.clone()));
        }
    }
}

fn take_effect(
    place: Place,
    incoming: &Incoming,
    world: &mut World,
    decision: &mut Decision,
    now: DateTime<Utc>,
) -> Verdict {
    let (server_id, ip) = place;
    let server = world.servers.get(&server_id).cloned();
    let changed = match (incoming.command.action, world.live.get_mut(&ip)) {
        (Action::Create | Action::Move, None) => {
            allocate(place, incoming, decision);
            false
        }
        (Action::Create | Action::Move, Some(row)) => match differs(row, incoming) {
            _ if !has(row, server_id) && !shares(row, incoming) => return Verdict::Failed(taken(row)),
            Some(failure) => return Verdict::Failed(failure),
            None if has(row, server_id) => bind(row, incoming, server.as_ref(), now),
            None => {
                join(row, incoming, server.as_ref(), now);
                true
            }
        },
        (Action::Rotate, None) => return Verdict::Failed(not_bound(&incoming.command, server_id)),
        (Action::Rotate, Some(row)) if !row.members().contains(&server_id) => {
            let released = row.desired == Desired::Unbound;
            return Verdict::Failed(if released { not_bound(&incoming.command, server_id) } else { taken(row) });
        }
        // Once only: a message that comes again goes on with the MAC that it got.
        (Action::Rotate, Some(row)) if has_its_row(incoming, &world.inbox) => bind(row, incoming, server.as_ref(), now),
        (Action::Rotate, Some(row)) => {
            let vlan = row.vlan_name.clone();
            let other = Allocation { vlan, ..allocation(place, incoming) };
            if decision.rotations.iter().all(|rotation| rotation.place != place) {
                decision.rotations.push(other);
            }
            false
        }
        (Action::Revoke, None) => return Verdict::NothingToRevoke,
        (Action::Revoke, Some(row)) if !row.knows(server_id) && row.group.is_none() => {
            return Verdict::Failed(taken(row));
        }
        (Action::Revoke, Some(row)) if !row.knows(server_id) => return Verdict::NothingToRevoke,
        (Action::Revoke, Some(row)) => unbind(row, server_id, now),
    };
    if changed {
        decision.changed.insert(ip);
    }
    Verdict::OnRow
}

/// True when the address is the server's, if only to be taken off it.
fn has(row: &Vmac, server_id: i64) -> bool {
    row.members().contains(&server_id) || (row.desired == Desired::Unbound && row.server_id == server_id)
}

/// True when the command names the group that shares the address.
fn shares(row: &Vmac, incoming: &Incoming) -> bool {
    row.group.is_some() && row.group == incoming.command.group
}

/// The failure of a command for an address that another server has.
pub(super) fn taken(row: &Vmac) -> Failure {
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
        Desired::Unbound => Failure::new(Code::AddressReleasing, format!("{ip} is being taken off server {server_id}")),
    }
}

fn differs(row: &Vmac, incoming: &Incoming) -> Option<Failure> {
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
    Some(Failure::new(Code::BoundDifferently, format!("{text}; revoke it first, or ask without them")))
}

fn has_its_row(incoming: &Incoming, inbox: &HashMap<MessageKey, Known>) -> bool {
    inbox.get(&incoming.key).is_some_and(|known| known.command.vmac_id.is_some())
}

fn allocate(place: Place, incoming: &Incoming, decision: &mut Decision) {
    // Of several creates for one place in a group the newest, which comes first, is the one allocated for.
    if decision.allocations.iter().all(|allocation| allocation.place != place) {
        decision.allocations.push(allocation(place, incoming));
    }
}

fn allocation(place: Place, incoming: &Incoming) -> Allocation {
    let command = &incoming.command;
    Allocation {
        action: command.action,
        place,
        mac: command.mac_address,
        pool: command.pool.clone(),
        vlan: command.vlan_name.clone(),
        group: command.group.clone(),
        requested_by: command.requested_by.clone(),
        reference: command.reference.clone(),
    }
}
