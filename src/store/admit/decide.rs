//! What each command of a round gets. Pure: it changes nothing but the picture of the world.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};

use super::Incoming;
use super::change::{bind, join, take_along, unbind};
use super::read::{Known, Place, World};
use super::refuse::{at_the_door, differs, not_bound, taken};
use super::wait::Wait;
use crate::domain::{
    Action, BindableAddress, Command, Desired, Failure, GroupName, IntentOrder, Mac, MessageKey, PoolName, Position,
    VlanName,
};
use crate::store::commands::OpenCommand;
use crate::store::vmacs::Vmac;

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
    /// It cannot be done, or not now, by the failure's class; [`Decision::let_wait`] tells the two apart.
    Failed(Failure),
    /// It cannot be done now, and is tried again.
    Waits(Wait),
    /// It waits already, and its own tries are what counts: this was a copy.
    StillWaits(Failure),
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

/// Everything that was decided for a round.
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
    /// Places for which commands came, with the last position of all.
    pub last: BTreeMap<Place, Position>,
    /// Open commands of earlier rounds that a new intent overtook.
    pub superseded: Vec<(OpenCommand, IntentOrder)>,
}

/// Decides for a round of commands, each for another address; the rows in `world` are changed as decided.
pub(super) fn decide(round: &[&Incoming], world: &mut World, now: DateTime<Utc>) -> Decision {
    let mut decision = Decision::default();
    for incoming in round {
        let verdict = at_the_door(incoming, world, now).unwrap_or_else(|| {
            arrive(incoming, world, &mut decision, now);
            match incoming.command.from_server_id {
                Some(from) => decide_move(from, incoming, world, &mut decision, now),
                None => decide_place(incoming, world, &mut decision, now),
            }
        });
        decision.verdicts.insert(incoming.key.clone(), verdict);
    }
    decision
}

impl Decision {
    /// Leaves no place in the order for commands that were refused where no other ever came: nothing is to come behind
    /// them. One that is ahead of the clock keeps its place, because a later one without a time must not fall before it.
    pub fn leave_out_refused(&mut self, round: &[&Incoming], world: &World, now: DateTime<Utc>) {
        let is_refused = |incoming: &&&Incoming| matches!(self.verdicts.get(&incoming.key), Some(Verdict::Failed(_)));
        let places: Vec<Place> = round.iter().filter(is_refused).flat_map(|incoming| places(incoming)).collect();
        for place in places.iter().filter(|place| world.blank.contains(place)) {
            let is_past = |last: &Position| last.moment.ms <= now.timestamp_millis();
            if !self.intents.contains_key(place) && self.last.get(place).is_some_and(is_past) {
                self.last.remove(place);
            }
        }
    }
}

/// The servers that a command is about, with its address.
fn places(incoming: &Incoming) -> Vec<Place> {
    let Command { server_id, from_server_id, ip_address: ip, .. } = incoming.command;
    [Some(server_id), from_server_id].into_iter().flatten().map(|server_id| (server_id, ip)).collect()
}

pub(super) fn place(incoming: &Incoming) -> Place {
    (incoming.command.server_id, incoming.command.ip_address)
}

/// Gives a command that came for the first time its place in the order: behind what arrived before it, as far as its time
/// allows. One that comes again keeps the place that it got then.
fn arrive(incoming: &Incoming, world: &mut World, decision: &mut Decision, now: DateTime<Utc>) {
    let Some(known) = world.inbox.get_mut(&incoming.key) else { return };
    let places = places(incoming);
    if known.is_new {
        let last = places.iter().filter_map(|place| world.last.get(place).copied()).max();
        let action = incoming.command.action;
        known.command.position = incoming.issued.position(action, incoming.arrival, last, now.timestamp_millis());
    }
    let position = known.command.position;
    for place in places {
        let last = world.last.get(&place).map_or(position, |last| position.max(*last));
        world.last.insert(place, last);
        decision.last.insert(place, last);
    }
}

/// The place of a command of the group in the order.
pub(super) fn position(incoming: &Incoming, world: &World) -> Position {
    let known = world.inbox.get(&incoming.key).map(|known| known.command.position);
    known.unwrap_or(incoming.issued.position(incoming.command.action, incoming.arrival, None, 0))
}

fn order(incoming: &Incoming, world: &World) -> IntentOrder {
    let action = incoming.command.action;
    IntentOrder { position: position(incoming, world), key: incoming.key.clone(), action, wants: action.wants() }
}

/// Decides about one server's address: a command that is older than the newest there joins it where both ask for the same
/// and is superseded where they do not.
fn decide_place(incoming: &Incoming, world: &mut World, decision: &mut Decision, now: DateTime<Utc>) -> Verdict {
    let (place, order) = (place(incoming), order(incoming, world));
    let newest = newest(place, world, decision);
    let verdict = match newest {
        Some(newer) if order < newer && is_overtaken(&order, &newer) => Verdict::Superseded(newer),
        newest => {
            let verdict = take_effect(place, incoming, world, decision, now);
            // A revoke that is refused, because another server has the address, is what this server is to have all
            // the same.
            let counts = !matches!(verdict, Verdict::Failed(_)) || order.wants == Desired::Unbound;
            if counts && newest.is_none_or(|newer| order > newer) {
                decision.intents.insert(place, order);
            }
            verdict
        }
    };
    supersede_open(place, world, decision);
    verdict
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
    from: i64,
    incoming: &Incoming,
    world: &mut World,
    decision: &mut Decision,
    now: DateTime<Utc>,
) -> Verdict {
    let (here, there) = ((from, incoming.command.ip_address), place(incoming));
    let arrives = order(incoming, world);
    let leaves = IntentOrder { wants: Desired::Unbound, ..arrives.clone() };
    let overtaken_here = newest(here, world, decision).filter(|newer| leaves < *newer && newer.key != leaves.key);
    let overtaken_there =
        newest(there, world, decision).filter(|newer| arrives < *newer && newer.wants != arrives.wants);
    if let Some(newer) = overtaken_here.or(overtaken_there) {
        return Verdict::Superseded(newer);
    }
    let verdict = carry_along(from, incoming, world, decision, now);
    if !matches!(verdict, Verdict::Failed(_)) {
        decision.intents.insert(here, leaves);
        if newest(there, world, decision).is_none_or(|newer| arrives > newer) {
            decision.intents.insert(there, arrives);
        }
        supersede_open(here, world, decision);
        supersede_open(there, world, decision);
    }
    verdict
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

/// Open commands that want something else than the place's new newest intent, and are older.
fn supersede_open(place: Place, world: &World, decision: &mut Decision) {
    let Some(winner) = decision.intents.get(&place).cloned() else { return };
    for command in world.open.get(&place).into_iter().flatten() {
        let order = command.order();
        if order.key != winner.key && order.wants != winner.wants && order < winner {
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
            decision.allocations.push(allocation(place, incoming));
            false
        }
        (Action::Create | Action::Move, Some(row)) => match differs(row, incoming) {
            _ if !has(row, server_id) && !shares(row, incoming) => return Verdict::Failed(taken(row)),
            // What is being taken off is bound differently once it is off.
            Some(_) if row.desired == Desired::Unbound => return Verdict::Failed(taken(row)),
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
            decision.rotations.push(other);
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

fn has_its_row(incoming: &Incoming, inbox: &HashMap<MessageKey, Known>) -> bool {
    inbox.get(&incoming.key).is_some_and(|known| known.command.vmac_id.is_some())
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
