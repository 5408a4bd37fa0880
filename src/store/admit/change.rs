//! What a command does to the row of its address. Pure: every change of intent begins a new generation.

use chrono::{DateTime, Utc};

use super::incoming::Incoming;
use crate::domain::{BindingState, Desired, Mac, Server, ServerPort, Status, SwitchBinding};
use crate::store::vmacs::Vmac;

/// Sets the row's intent to bound; true where that changed anything.
pub(super) fn bind(row: &mut Vmac, incoming: &Incoming, server: Option<&Server>, now: DateTime<Utc>) -> bool {
    if row.desired == Desired::Bound && row.status != Status::Failed {
        return false;
    }
    // After a revoke in progress nobody knows what the switches hold: every port is checked again.
    let all = row.desired == Desired::Unbound;
    row.desired = Desired::Bound;
    row.status = Status::Pending;
    asked_by(row, incoming);
    row.vlan_name = row.vlan_name.take().or_else(|| incoming.command.vlan_name.clone());
    add_ports(row, server, now);
    begin_again(row, |row, port| (all && !port.leaving) || !port.is_met(row.desired), now);
    true
}

/// Adds a server to the group that shares the address. A group that is being revoked continues with that server alone.
pub(super) fn join(row: &mut Vmac, incoming: &Incoming, server: Option<&Server>, now: DateTime<Utc>) {
    say_whose(row);
    if row.desired == Desired::Unbound {
        row.switch_bindings.iter_mut().for_each(|port| port.leaving = true);
        row.server_id = incoming.command.server_id;
        row.desired = Desired::Bound;
    }
    row.status = Status::Pending;
    asked_by(row, incoming);
    add_ports(row, server, now);
    begin_again(row, |row, port| !port.is_met(row.desired), now);
}

/// Moves the address, with its MAC, from one server to another.
pub(super) fn move_to_server(row: &mut Vmac, from: i64, incoming: &Incoming, to: Option<&Server>, now: DateTime<Utc>) {
    say_whose(row);
    let Some(to) = to else { return };
    leave_ports_of(row, from);
    if row.server_id == from {
        row.server_id = to.id;
    }
    row.desired = Desired::Bound;
    row.status = Status::Pending;
    asked_by(row, incoming);
    // VLAN names are the switch's own: the VLAN is found again on the other switch.
    let stays = |port: &ServerPort| row.switch_bindings.iter().any(|other| other.switch == port.switch);
    if incoming.command.vlan_name.is_some() || !to.ports.iter().all(stays) {
        row.vlan_name.clone_from(&incoming.command.vlan_name);
    }
    add_ports(row, Some(to), now);
    begin_again(row, |row, port| !port.is_met(row.desired) || !port.leaving, now);
}

/// Gives the row another MAC, and returns the one it had. A port that holds one goes on saying which: that, and what
/// the switch showed of it, stays true until a push has bound the new one, which the switch may refuse.
pub(super) fn rotate(row: &mut Vmac, mac: Mac, now: DateTime<Utc>) -> Mac {
    let before = std::mem::replace(&mut row.mac_address, mac);
    let holds_one =
        |port: &SwitchBinding| port.state == BindingState::Bound || port.push_id.is_some() || port.mac != before;
    row.switch_bindings.iter_mut().filter(|port| !port.leaving && !holds_one(port)).for_each(|port| port.mac = mac);
    row.status = Status::Pending;
    begin_again(row, |row, port| !port.leaving || !port.is_met(row.desired), now);
    before
}

/// Revokes the address from one server, or altogether where it is the last one; true where that changed anything.
pub(super) fn unbind(row: &mut Vmac, server_id: i64, now: DateTime<Utc>) -> bool {
    // A failed row stays failed while it is revoked, so its ports say whether that was begun: the same revoke again must
    // not make a push in flight one for an older generation, which finishes nothing.
    let failed = |row: &Vmac| row.switch_bindings.iter().any(|port| port.state == BindingState::Failed);
    let members = row.members();
    if !members.contains(&server_id) && !failed(row) {
        return false;
    }
    let others = members.iter().copied().find(|member| *member != server_id);
    match others {
        Some(other) => {
            say_whose(row);
            leave_ports_of(row, server_id);
            row.server_id = if row.server_id == server_id { other } else { row.server_id };
            begin_again(row, |row, port| !port.is_met(row.desired), now);
        }
        None => {
            let all = row.desired == Desired::Bound;
            row.desired = Desired::Unbound;
            begin_again(row, |row, port| (all && !port.leaving) || !port.is_met(row.desired), now);
        }
    }
    true
}

fn asked_by(row: &mut Vmac, incoming: &Incoming) {
    let command = &incoming.command;
    row.requested_by = command.requested_by.clone().or(row.requested_by.take());
    row.reference = command.reference.clone().or(row.reference.take());
}

/// Writes each port's server on it, before the row moves to another server; ports that were left are forgotten.
fn say_whose(row: &mut Vmac) {
    let desired = row.desired;
    row.switch_bindings.retain(|port| !port.leaving || !port.is_met(desired));
    let server_id = row.server_id;
    row.switch_bindings.iter_mut().for_each(|port| _ = port.server_id.get_or_insert(server_id));
}

fn leave_ports_of(row: &mut Vmac, server_id: i64) {
    for port in row.switch_bindings.iter_mut().filter(|port| port.server_id == Some(server_id)) {
        port.leaving = true;
        port.state = BindingState::Pending;
    }
}

/// The server's ports become ports of the row: new ones, and those that it was leaving or that were another's.
fn add_ports(row: &mut Vmac, server: Option<&Server>, now: DateTime<Utc>) {
    let Some(server) = server else { return };
    for port in &server.ports {
        match row.switch_bindings.iter_mut().find(|known| known.is_at(&port.switch, &port.interface)) {
            Some(known) if known.leaving => {
                known.leaving = false;
                known.server_id = Some(server.id);
                known.state = BindingState::Pending;
            }
            Some(_) => {}
            None => row.switch_bindings.push(new_binding(server.id, port, row.mac_address, now)),
        }
    }
}

/// An entry for a port that nothing was pushed to yet.
pub(super) fn new_binding(server_id: i64, port: &ServerPort, mac: Mac, now: DateTime<Utc>) -> SwitchBinding {
    SwitchBinding {
        switch: port.switch.clone(),
        server_id: Some(server_id),
        leaving: false,
        interface: port.interface.clone(),
        vlan: None,
        mac,
        state: BindingState::Pending,
        previous_mac: None,
        backup_id: None,
        push_id: None,
        error: None,
        evidence: Vec::new(),
        in_force: None,
        at: now,
    }
}

fn begin_again(row: &mut Vmac, affected: impl Fn(&Vmac, &SwitchBinding) -> bool, now: DateTime<Utc>) {
    row.generation += 1;
    row.attempts = 0;
    // A row that stays failed while it is revoked goes on saying why.
    if row.status != Status::Failed {
        row.failure_code = None;
        row.failure_text = None;
    }
    let affected: Vec<bool> = row.switch_bindings.iter().map(|port| affected(row, port)).collect();
    for (port, _) in row.switch_bindings.iter_mut().zip(affected).filter(|(_, affected)| *affected) {
        port.state = BindingState::Pending;
        port.error = None;
        port.at = now;
    }
}
