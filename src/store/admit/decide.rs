//! Decides what becomes of each command of a round. Pure: it changes nothing but the snapshot.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::change::{bind, join, move_to_server, unbind};
use super::decision::{Allocation, CommandVerdict, Decision, place};
use super::incoming::Incoming;
use super::read::{KnownCommand, ServerAddress, Snapshot};
use super::refuse::{address_taken, differs, early_verdict, not_bound};
use crate::domain::{Action, Command, Desired, Draws, IntentOrder, MessageKey, Position};
use crate::store::vmacs::Vmac;

/// Decides for a round of commands, each for another address; the rows in `snapshot` are changed as decided.
pub(super) fn decide(round: &[&Incoming], snapshot: &mut Snapshot, now: DateTime<Utc>) -> Decision {
    let mut decision = Decision::default();
    for incoming in round {
        let verdict = early_verdict(incoming, snapshot, now).unwrap_or_else(|| {
            arrive(incoming, snapshot, &mut decision, now);
            match incoming.command.from_server_id {
                Some(from) => decide_move(from, incoming, snapshot, &mut decision, now),
                None => decide_place(incoming, snapshot, &mut decision, now),
            }
        });
        decision.verdicts.insert(incoming.key.clone(), verdict);
    }
    decision
}

impl Decision {
    /// Leaves no place in the order for commands that were refused where no other ever came: nothing is to come behind
    /// them. One that is ahead of the clock keeps its place, because a later one without a time must not fall before it.
    pub fn leave_out_refused(&mut self, round: &[&Incoming], snapshot: &Snapshot, now: DateTime<Utc>) {
        let is_refused =
            |incoming: &&&Incoming| matches!(self.verdicts.get(&incoming.key), Some(CommandVerdict::Failed(_)));
        let refused: Vec<&Incoming> = round.iter().filter(is_refused).copied().collect();
        for (incoming, place) in
            refused.iter().flat_map(|incoming| places(incoming).into_iter().map(move |at| (incoming, at)))
        {
            let is_past = |last: &Position| last.moment.ms <= now.timestamp_millis();
            if self.intents.contains_key(&place) || !self.last.get(&place).is_some_and(is_past) {
                continue;
            }
            if snapshot.blank.contains(&place) {
                self.last.remove(&place);
            } else if is_last_of(place, incoming, snapshot) {
                self.last.remove(&place);
                self.forgotten.insert(place);
            }
        }
    }
}

/// True where no command but this one is known for the place: it waited, and no other took effect there or waits now.
fn is_last_of(place: ServerAddress, incoming: &Incoming, snapshot: &Snapshot) -> bool {
    let others = snapshot.open.get(&place).into_iter().flatten().any(|command| command.key != incoming.key);
    !others
        && !snapshot.intents.contains_key(&place)
        && snapshot.last.get(&place) == Some(&position(incoming, snapshot))
}

/// The servers that a command is about, with its address.
fn places(incoming: &Incoming) -> Vec<ServerAddress> {
    let Command { server_id, from_server_id, ip_address: ip, .. } = incoming.command;
    [Some(server_id), from_server_id].into_iter().flatten().map(|server_id| (server_id, ip)).collect()
}

/// Gives a command that came for the first time its place in the order: behind what arrived before it, as far as its time
/// allows. One that comes again keeps the place that it got then.
fn arrive(incoming: &Incoming, snapshot: &mut Snapshot, decision: &mut Decision, now: DateTime<Utc>) {
    let Some(known) = snapshot.commands.get_mut(&incoming.key) else { return };
    let places = places(incoming);
    if known.is_new {
        let last = places.iter().filter_map(|place| snapshot.last.get(place).copied()).max();
        let action = incoming.command.action;
        known.command.position = incoming.issued.position(action, incoming.arrival, last, now.timestamp_millis());
    }
    let position = known.command.position;
    for place in places {
        let last = snapshot.last.get(&place).map_or(position, |last| position.max(*last));
        snapshot.last.insert(place, last);
        decision.last.insert(place, last);
    }
}

/// A command's position in the order.
pub(super) fn position(incoming: &Incoming, snapshot: &Snapshot) -> Position {
    let known = snapshot.commands.get(&incoming.key).map(|known| known.command.position);
    known.unwrap_or(incoming.issued.position(incoming.command.action, incoming.arrival, None, 0))
}

fn order(incoming: &Incoming, snapshot: &Snapshot) -> IntentOrder {
    let action = incoming.command.action;
    IntentOrder { position: position(incoming, snapshot), key: incoming.key.clone(), action, wants: action.wants() }
}

/// Decides about one server's address: a command that is older than the newest there joins it where both ask for the same
/// and is superseded where they do not.
fn decide_place(
    incoming: &Incoming,
    snapshot: &mut Snapshot,
    decision: &mut Decision,
    now: DateTime<Utc>,
) -> CommandVerdict {
    let (place, order) = (place(incoming), order(incoming, snapshot));
    let newest = newest(place, snapshot, decision);
    let verdict = match newest {
        Some(newer) if order < newer && is_overtaken(&order, &newer) => CommandVerdict::Superseded(newer),
        newest => {
            // Its own command may be gone by now, which retention removes once it ended.
            let is_again = newest.as_ref().is_some_and(|newest| newest.key == order.key);
            let verdict = take_effect(place, incoming, snapshot, decision, now, is_again);
            // A revoke that is refused, because another server has the address, is what this server is to have all
            // the same.
            let counts = !matches!(verdict, CommandVerdict::Failed(_)) || order.wants == Desired::Unbound;
            if counts && newest.is_none_or(|newer| order > newer) {
                decision.intents.insert(place, order);
            }
            verdict
        }
    };
    supersede_open(place, snapshot, decision);
    verdict
}

fn newest(place: ServerAddress, snapshot: &Snapshot, decision: &Decision) -> Option<IntentOrder> {
    decision.intents.get(&place).or_else(|| snapshot.intents.get(&place)).cloned()
}

/// Where the address was moved to another server, older commands for it here are superseded.
fn is_overtaken(order: &IntentOrder, newer: &IntentOrder) -> bool {
    order.wants != newer.wants || (newer.action == Action::Move && newer.wants == Desired::Unbound)
}

/// Decides about a move: an intent for both servers, that the one loses the address and that the other has it. Anything
/// newer for the one it leaves, and a newer revoke for the other, wins.
fn decide_move(
    from: i64,
    incoming: &Incoming,
    snapshot: &mut Snapshot,
    decision: &mut Decision,
    now: DateTime<Utc>,
) -> CommandVerdict {
    let (here, there) = ((from, incoming.command.ip_address), place(incoming));
    let arrives = order(incoming, snapshot);
    let leaves = IntentOrder { wants: Desired::Unbound, ..arrives.clone() };
    let overtaken_here = newest(here, snapshot, decision).filter(|newer| leaves < *newer && newer.key != leaves.key);
    let overtaken_there =
        newest(there, snapshot, decision).filter(|newer| arrives < *newer && newer.wants != arrives.wants);
    if let Some(newer) = overtaken_here.or(overtaken_there) {
        return CommandVerdict::Superseded(newer);
    }
    let verdict = carry_along(from, incoming, snapshot, decision, now);
    if !matches!(verdict, CommandVerdict::Failed(_)) {
        decision.intents.insert(here, leaves);
        if newest(there, snapshot, decision).is_none_or(|newer| arrives > newer) {
            decision.intents.insert(there, arrives);
        }
        supersede_open(here, snapshot, decision);
        supersede_open(there, snapshot, decision);
    }
    verdict
}

fn carry_along(
    from: i64,
    incoming: &Incoming,
    snapshot: &mut Snapshot,
    decision: &mut Decision,
    now: DateTime<Utc>,
) -> CommandVerdict {
    let (to, ip) = place(incoming);
    let server = snapshot.servers.get(&to).cloned();
    let Some(row) = snapshot.live.get_mut(&ip) else {
        return CommandVerdict::Failed(not_bound(&incoming.command, from));
    };
    let changed = match (has(row, from), has(row, to)) {
        (true, _) => {
            move_to_server(row, from, incoming, server.as_ref(), now);
            true
        }
        (false, true) => bind(row, incoming, server.as_ref(), now),
        (false, false) => return CommandVerdict::Failed(address_taken(row)),
    };
    if changed {
        decision.changed.insert(ip);
    }
    CommandVerdict::OnRow
}

/// Open commands that want something else than the place's new newest intent, and are older.
fn supersede_open(place: ServerAddress, snapshot: &Snapshot, decision: &mut Decision) {
    let Some(winner) = decision.intents.get(&place).cloned() else { return };
    for command in snapshot.open.get(&place).into_iter().flatten() {
        let order = command.order();
        if order.key != winner.key && order.wants != winner.wants && order < winner {
            decision.superseded.push((command.clone(), winner.clone()));
        }
    }
}

fn take_effect(
    place: ServerAddress,
    incoming: &Incoming,
    snapshot: &mut Snapshot,
    decision: &mut Decision,
    now: DateTime<Utc>,
    is_again: bool,
) -> CommandVerdict {
    let (server_id, ip) = place;
    let server = snapshot.servers.get(&server_id).cloned();
    let changed = match (incoming.command.action, snapshot.live.get_mut(&ip)) {
        (Action::Create | Action::Move, None) => {
            decision.allocations.push(allocation(place, incoming));
            false
        }
        (Action::Create | Action::Move, Some(row)) => match differs(row, incoming) {
            _ if !has(row, server_id) && !shares(row, incoming) => return CommandVerdict::Failed(address_taken(row)),
            // What is being revoked can be bound differently once that is done.
            Some(_) if row.desired == Desired::Unbound => return CommandVerdict::Failed(address_taken(row)),
            Some(failure) => return CommandVerdict::Failed(failure),
            None if has(row, server_id) => bind(row, incoming, server.as_ref(), now),
            None => {
                join(row, incoming, server.as_ref(), now);
                true
            }
        },
        (Action::Rotate, None) => return CommandVerdict::Failed(not_bound(&incoming.command, server_id)),
        (Action::Rotate, Some(row)) if !row.members().contains(&server_id) => {
            let released = row.desired == Desired::Unbound;
            return CommandVerdict::Failed(if released {
                not_bound(&incoming.command, server_id)
            } else {
                address_taken(row)
            });
        }
        // Once only: a message that is redelivered keeps the MAC that it got.
        (Action::Rotate, Some(row)) if is_again || has_its_row(incoming, &snapshot.commands) => {
            bind(row, incoming, server.as_ref(), now)
        }
        (Action::Rotate, Some(row)) => {
            let vlan = row.vlan_name.clone();
            let other = Allocation { vlan, ..allocation(place, incoming) };
            decision.rotations.push(other);
            false
        }
        (Action::Revoke, None) => return CommandVerdict::NothingToRevoke,
        (Action::Revoke, Some(row)) if !row.knows(server_id) && row.group.is_none() => {
            return CommandVerdict::Failed(address_taken(row));
        }
        (Action::Revoke, Some(row)) if !row.knows(server_id) => return CommandVerdict::NothingToRevoke,
        (Action::Revoke, Some(row)) => unbind(row, server_id, now),
    };
    if changed {
        decision.changed.insert(ip);
    }
    CommandVerdict::OnRow
}

/// True when the address is the server's, also while it is being revoked.
fn has(row: &Vmac, server_id: i64) -> bool {
    row.members().contains(&server_id) || (row.desired == Desired::Unbound && row.server_id == server_id)
}

/// True when the command names the group that shares the address.
fn shares(row: &Vmac, incoming: &Incoming) -> bool {
    row.group.is_some() && row.group == incoming.command.group
}

fn has_its_row(incoming: &Incoming, commands: &HashMap<MessageKey, KnownCommand>) -> bool {
    commands.get(&incoming.key).is_some_and(|known| known.command.vmac_id.is_some())
}

fn allocation(place: ServerAddress, incoming: &Incoming) -> Allocation {
    let command = &incoming.command;
    Allocation {
        action: command.action,
        place,
        mac: command.mac_address,
        draws: Draws::of(&incoming.message_identity, command.server_id, command.ip_address),
        pool: command.pool.clone(),
        vlan: command.vlan_name.clone(),
        group: command.group.clone(),
        requested_by: command.requested_by.clone(),
        reference: command.reference.clone(),
    }
}
