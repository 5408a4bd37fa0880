//! What each command of a group gets. Pure: it changes nothing but the picture of the world.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};

use super::read::{Place, World};
use super::{Admission, Incoming};
use crate::domain::{
    Action, BindableAddress, BindingState, Code, Desired, Failure, FailureClass, IntentOrder, Mac, MessageKey, Server,
    Status, SwitchBinding, VlanName,
};
use crate::store::commands::{CommandOutcome, OpenCommand, Outcome};
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
    pub place: Place,
    pub mac: Option<Mac>,
    pub vlan: Option<VlanName>,
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
    for (place, mut commands) in by_place {
        commands.sort_by_key(|incoming| std::cmp::Reverse(order(incoming)));
        decide_place(place, &commands, world, &mut decision, now);
    }
    decision
}

fn place(incoming: &Incoming) -> Place {
    (incoming.command.server_id, incoming.command.ip_address)
}

fn order(incoming: &Incoming) -> IntentOrder {
    IntentOrder { issued_at_ms: incoming.issued_at_ms, action: incoming.command.action, key: incoming.key.clone() }
}

/// What can be said without looking at the place: known outcomes, wrong clocks, unknown servers.
fn at_the_door(incoming: &Incoming, world: &World, now: DateTime<Utc>) -> Option<Verdict> {
    let known = world.inbox.get(&incoming.key)?;
    if known.body_hash != incoming.body_hash {
        return Some(Verdict::Answered);
    }
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
    let mut newest = world.intents.get(&place).cloned();
    for incoming in commands {
        let order = order(incoming);
        let verdict = match &newest {
            Some(newer) if order < *newer && order.action != newer.action => Verdict::Superseded(newer.clone()),
            _ => {
                let verdict = take_effect(place, incoming, world, decision, now);
                // A revoke that is refused, because another server has the address, is what this server is to have all
                // the same.
                let stands = !matches!(verdict, Verdict::Failed(_)) || order.action == Action::Revoke;
                if stands && newest.as_ref().is_none_or(|newer| order > *newer) {
                    decision.intents.insert(place, order.clone());
                    newest = Some(order);
                }
                verdict
            }
        };
        decision.verdicts.insert(incoming.key.clone(), verdict);
    }
    if let Some(winner) = decision.intents.get(&place).cloned() {
        supersede_open(place, &winner, commands, world, decision);
    }
}

fn supersede_open(place: Place, winner: &IntentOrder, group: &[&Incoming], world: &World, decision: &mut Decision) {
    let of_group = |command: &OpenCommand| group.iter().any(|incoming| incoming.key == command.key);
    for command in world.open.get(&place).into_iter().flatten() {
        let order =
            IntentOrder { issued_at_ms: command.issued_at_ms, action: command.action, key: command.key.clone() };
        if !of_group(command) && command.action != winner.action && order < *winner {
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
    match (incoming.command.action, world.live.get_mut(&ip)) {
        (_, Some(row)) if row.server_id != server_id => Verdict::Failed(taken(row)),
        (Action::Create, Some(row)) => match differs(row, incoming) {
            Some(failure) => Verdict::Failed(failure),
            None => {
                if bind(row, incoming, server.as_ref(), now) {
                    decision.changed.insert(ip);
                }
                Verdict::OnRow
            }
        },
        (Action::Create, None) => {
            allocate(place, incoming, decision);
            Verdict::OnRow
        }
        (Action::Revoke, Some(row)) => {
            if unbind(row, now) {
                decision.changed.insert(ip);
            }
            Verdict::OnRow
        }
        (Action::Revoke, None) => Verdict::NothingToRevoke,
    }
}

/// The failure of a command for an address that another server has.
pub(super) fn taken(row: &Vmac) -> Failure {
    let (ip, server_id) = (row.ip_address, row.server_id);
    match row.desired {
        Desired::Bound => Failure::new(
            Code::AddressTaken,
            format!("{ip} has a virtual MAC for server {server_id}; revoke it there first, then replay"),
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
        _ => return None,
    };
    Some(Failure::new(Code::BoundDifferently, format!("{text}; revoke it first, or ask without them")))
}

fn allocate(place: Place, incoming: &Incoming, decision: &mut Decision) {
    // Of several creates for one place in a group the newest, which comes first, is the one allocated for.
    if decision.allocations.iter().all(|allocation| allocation.place != place) {
        let command = &incoming.command;
        decision.allocations.push(Allocation {
            place,
            mac: command.mac_address,
            vlan: command.vlan_name.clone(),
            requested_by: command.requested_by.clone(),
            reference: command.reference.clone(),
        });
    }
}

/// Brings the row's intent to bound; says whether anything changed.
fn bind(row: &mut Vmac, incoming: &Incoming, server: Option<&Server>, now: DateTime<Utc>) -> bool {
    if row.desired == Desired::Bound && row.status != Status::Failed {
        return false;
    }
    // After a revoke in progress nobody knows what the switches hold: every port is looked at again.
    let all = row.desired == Desired::Unbound;
    row.desired = Desired::Bound;
    row.status = Status::Pending;
    let command = &incoming.command;
    row.vlan_name = row.vlan_name.take().or_else(|| command.vlan_name.clone());
    row.requested_by = command.requested_by.clone().or(row.requested_by.take());
    row.reference = command.reference.clone().or(row.reference.take());
    add_new_ports(row, server, now);
    begin_again(row, |state| all || state != BindingState::Bound, now);
    true
}

/// Ports that the server got since the row was made.
fn add_new_ports(row: &mut Vmac, server: Option<&Server>, now: DateTime<Utc>) {
    for port in server.into_iter().flat_map(|server| &server.ports) {
        let known = |binding: &SwitchBinding| {
            binding.switch == port.switch && binding.interface.same_interface(&port.interface)
        };
        if !row.switch_bindings.iter().any(known) {
            row.switch_bindings.push(new_binding(port, row.mac_address, now));
        }
    }
}

/// An entry for a port that nothing was pushed to yet.
pub(super) fn new_binding(port: &crate::domain::ServerPort, mac: Mac, now: DateTime<Utc>) -> SwitchBinding {
    SwitchBinding {
        switch: port.switch.clone(),
        interface: port.interface.clone(),
        vlan: None,
        mac,
        state: BindingState::Pending,
        previous_mac: None,
        backup_id: None,
        push_id: None,
        error: None,
        evidence: Vec::new(),
        at: now,
    }
}

/// Brings the row's intent to unbound; says whether anything changed.
fn unbind(row: &mut Vmac, now: DateTime<Utc>) -> bool {
    // A failed row stays failed while it is revoked, so its ports say whether that was begun: the same revoke again must
    // not make a push in flight one for an older generation, which finishes nothing.
    let failed = || row.switch_bindings.iter().any(|binding| binding.state == BindingState::Failed);
    if row.desired == Desired::Unbound && !failed() {
        return false;
    }
    let all = row.desired == Desired::Bound;
    row.desired = Desired::Unbound;
    begin_again(row, |state| all || !Desired::Unbound.is_met_by(state), now);
    true
}

fn begin_again(row: &mut Vmac, affected: impl Fn(BindingState) -> bool, now: DateTime<Utc>) {
    row.generation += 1;
    row.attempts = 0;
    row.failure_code = None;
    row.failure_text = None;
    for binding in row.switch_bindings.iter_mut().filter(|binding| affected(binding.state)) {
        binding.state = BindingState::Pending;
        binding.error = None;
        binding.at = now;
    }
}

impl Decision {
    /// The answer to one command, which may stand in the group more than once.
    pub fn admission(&self, incoming: &Incoming, world: &World) -> Admission {
        let Some(known) = world.inbox.get(&incoming.key) else {
            return defer("it did not reach the inbox");
        };
        if known.body_hash != incoming.body_hash {
            let text = format!("{} was used before with another body", incoming.key);
            return Admission::Refused { failure: Failure::new(Code::MessageIdReused, text) };
        }
        match self.verdicts.get(&incoming.key) {
            Some(Verdict::Failed(failure)) if failure.class() == FailureClass::Deferred => {
                Admission::Deferred { failure: failure.clone() }
            }
            Some(Verdict::Failed(failure)) => Admission::Refused { failure: failure.clone() },
            Some(Verdict::Answered) => answered(known.outcome.as_ref()),
            Some(Verdict::OnRow) => on_row(world.live.get(&incoming.command.ip_address), incoming.command.action),
            Some(Verdict::NothingToRevoke) => done(Outcome::Revoked, world.revoked.get(&place(incoming)), None),
            Some(Verdict::Superseded(newer)) => {
                done(Outcome::Superseded, world.live.get(&place(incoming).1), Some(superseded_text(newer)))
            }
            None => defer("its group held another message with the same id"),
        }
    }
}

fn defer(text: &str) -> Admission {
    Admission::Deferred { failure: Failure::new(Code::DatabaseTrouble, text) }
}

fn answered(outcome: Option<&CommandOutcome>) -> Admission {
    let Some(outcome) = outcome else { return defer("its outcome is not known yet") };
    match outcome.failure() {
        Some(failure) => Admission::Refused { failure },
        None => Admission::Done { outcome: outcome.clone() },
    }
}

fn on_row(row: Option<&Vmac>, action: Action) -> Admission {
    let Some(row) = row else { return defer("its row is gone") };
    match settled(row) {
        true => done(Outcome::of_success(action), Some(row), None),
        false => Admission::Work { vmac_id: row.id, switches: row.switches_waiting() },
    }
}

/// The row that a command of the group drives from now on; none for one that ends at once.
pub(super) fn driven_row<'a>(key: &MessageKey, decision: &Decision, world: &'a World) -> Option<&'a Vmac> {
    let known = world.inbox.get(key).filter(|_| decision.verdicts.get(key) == Some(&Verdict::OnRow))?;
    world.live.get(&known.command.ip_address).filter(|row| !settled(row))
}

/// True when the row is where its intent wants it.
pub(super) fn settled(row: &Vmac) -> bool {
    matches!((row.desired, row.status), (Desired::Bound, Status::Active) | (Desired::Unbound, Status::Revoked))
}

fn done(status: Outcome, row: Option<&Vmac>, text: Option<String>) -> Admission {
    Admission::Done { outcome: CommandOutcome { status, vmac_id: row.map(|row| row.id), code: None, text } }
}

/// The sentence for a superseded command, naming the newer one.
pub(super) fn superseded_text(newer: &IntentOrder) -> String {
    let at = DateTime::from_timestamp_millis(newer.issued_at_ms).unwrap_or_default();
    format!(
        "superseded by {} {}, issued {}",
        newer.action,
        newer.key,
        at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
    )
}
