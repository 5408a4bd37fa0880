//! The audit: what the switches hold and have learned, against what the rows and the inventory say.
//!
//! Pure. [`audit`] answers with findings, worst first; each says what stands where, and whether driving a row again
//! mends it. What vmacd did not make is reported and never proposed for repair.

mod places;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use serde::Serialize;

use super::plan::{Inactive, PresentBinding};
use super::{BindableAddress, BindingState, Desired, InterfaceName, Mac, Server, Status, SwitchBinding, SwitchName};
use places::BoundPorts;

/// One switch as it was seen.
#[derive(Debug, Clone)]
pub struct SwitchContents {
    /// The switch.
    pub switch: SwitchName,
    /// Its static bindings.
    pub bindings: Vec<PresentBinding>,
    /// The MACs it has learned; empty where it does not tell.
    pub learned: Vec<LearnedMac>,
}

/// A MAC that a switch has learned on a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LearnedMac {
    /// The MAC.
    pub mac: Mac,
    /// The port.
    pub interface: InterfaceName,
    /// It stays there until somebody clears it (`persistent-learning`).
    pub kept: bool,
}

/// A row, as far as the audit looks at it.
#[derive(Debug, Clone)]
pub struct AuditedRow {
    /// Its number.
    pub id: i64,
    /// The server.
    pub server_id: i64,
    /// The address.
    pub ip: BindableAddress,
    /// The virtual MAC.
    pub mac: Mac,
    /// MACs that it had before; where a switch has not taken the new one yet, it still holds one of them.
    pub former: Vec<Mac>,
    /// What was observed.
    pub status: Status,
    /// What is wanted.
    pub desired: Desired,
    /// It did not change while the switches were looked at.
    pub settled: bool,
    /// Where each port stands.
    pub bindings: Vec<SwitchBinding>,
}

impl AuditedRow {
    /// True for its MAC and for those that it had.
    pub fn had(&self, mac: Mac) -> bool {
        self.mac == mac || self.former.contains(&mac)
    }
}

/// What the rows and the inventory say.
#[derive(Debug, Clone, Default)]
pub struct Records {
    /// The rows, oldest first: live ones, and the revoked ones whose MACs were seen.
    pub rows: Vec<AuditedRow>,
    /// The servers.
    pub servers: Vec<Server>,
}

/// A port of a switch with an address and a MAC on it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct BoundPort {
    /// The switch.
    pub switch: SwitchName,
    /// The port.
    pub interface: InterfaceName,
    /// The address; none where a MAC was learned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip: Option<BindableAddress>,
    /// The MAC.
    pub mac: Mac,
}

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// One MAC is bound on ports of several servers, or for several addresses on one port.
    MacTwice,
    /// One address is bound on ports of several servers.
    AddressTwice,
    /// A row says bound, the switch holds no such binding, and the address is bound on a port that is not the row's.
    AddressElsewhere,
    /// A virtual MAC is learned on a port that it does not belong to.
    LearnedElsewhere,
    /// A row says bound, and the switch holds no such binding.
    NotBacked,
    /// A binding is in a switch's configuration and not in force, because it or something above it is inactive.
    Inactive,
    /// A virtual MAC is bound that its row wants gone.
    LeftOver,
    /// No row and no server of the inventory explains a binding.
    Unexplained,
}

impl FindingKind {
    /// As it is told.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MacTwice => "mac_twice",
            Self::AddressTwice => "address_twice",
            Self::AddressElsewhere => "address_elsewhere",
            Self::LearnedElsewhere => "learned_elsewhere",
            Self::NotBacked => "not_backed",
            Self::Inactive => "inactive",
            Self::LeftOver => "left_over",
            Self::Unexplained => "unexplained",
        }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What.
    pub kind: FindingKind,
    /// Where.
    pub places: Vec<BoundPort>,
    /// The row it is about; of a binding that nothing explains, the one that has or had its MAC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vmac_id: Option<i64>,
    /// The switch to push to so that it is mended; none where that mends nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mended_on: Option<SwitchName>,
}

/// Compares what was seen with what is known. Rows whose change is under way are left alone, and so is what was not
/// looked at.
pub fn audit(seen: &[SwitchContents], known: &Records) -> Vec<Finding> {
    let places = BoundPorts::of(seen, known);
    let mut findings = places.doubles();
    findings.extend(places.strays(seen));
    let left_over = left_over(seen, known);
    findings.extend(not_backed(seen, known, &places, &left_over));
    findings.extend(left_over);
    findings.extend(inactive(seen, &places));
    findings.extend(unexplained(seen, &places));
    findings.sort_by(|a, b| (a.kind, &a.places).cmp(&(b.kind, &b.places)));
    findings
}

/// What the rows say is bound and the switches that were looked at do not hold. Where another port has the address no push
/// may bring it back, except where that is left over and goes first.
fn not_backed(
    seen: &[SwitchContents],
    known: &Records,
    places: &BoundPorts<'_>,
    left_over: &[Finding],
) -> Vec<Finding> {
    let is_active = |row: &&AuditedRow| row.settled && row.desired == Desired::Bound && row.status == Status::Active;
    let bound =
        known.rows.iter().filter(is_active).flat_map(|row| row.bindings.iter().map(move |binding| (row, binding)));
    let missing = bound.filter(|(row, binding)| {
        let switch = seen.iter().find(|seen| seen.switch == binding.switch);
        binding.state == BindingState::Bound && switch.is_some_and(|seen| !holds(seen, row, &binding.interface))
    });
    let goes = |place: &BoundPort| left_over.iter().any(|finding| is_at(finding, place));
    let finding = |(row, binding): (&AuditedRow, &SwitchBinding)| {
        let mut finding = mended(FindingKind::NotBacked, row, &binding.switch, binding.interface.clone());
        if under_inactive(seen, row, binding) {
            finding.mended_on = None;
        }
        let elsewhere = places.elsewhere(row, binding).filter(|place| !goes(place));
        finding.places.extend(elsewhere.cloned());
        if finding.places.len() > 1 {
            finding.kind = FindingKind::AddressElsewhere;
            finding.mended_on = None;
        }
        finding
    };
    missing.map(finding).collect()
}

/// True where the binding is there under something inactive, which is an operator's to activate.
fn under_inactive(seen: &[SwitchContents], row: &AuditedRow, at: &SwitchBinding) -> bool {
    let mut here = seen.iter().filter(|seen| seen.switch == at.switch).flat_map(|seen| &seen.bindings);
    here.any(|held| {
        held.ip == row.ip
            && held.interface.same_interface(&at.interface)
            && matches!(held.inactive, Some(Inactive::Under(_)))
    })
}

/// What is kept in a configuration and not in force, whosever it is.
fn inactive(seen: &[SwitchContents], places: &BoundPorts<'_>) -> Vec<Finding> {
    let all = seen.iter().flat_map(|seen| seen.bindings.iter().map(move |binding| (&seen.switch, binding)));
    let ignored = all.filter(|(_, binding)| !binding.is_active());
    let finding = |(switch, binding): (&SwitchName, &PresentBinding)| {
        let vmac_id = places.row_of(binding.mac);
        Finding { kind: FindingKind::Inactive, places: vec![place(switch, binding)], vmac_id, mended_on: None }
    };
    ignored.map(finding).collect()
}

/// The interface's name may have another form.
fn is_at(finding: &Finding, at: &BoundPort) -> bool {
    let same = |place: &BoundPort| {
        let (port, other) = (place.interface.port(), at.interface.port());
        (&place.switch, port, place.ip, place.mac) == (&at.switch, other, at.ip, at.mac)
    };
    finding.places.iter().any(same)
}

fn holds(seen: &SwitchContents, row: &AuditedRow, interface: &InterfaceName) -> bool {
    let held = |binding: &PresentBinding| {
        binding.is_active()
            && binding.ip == row.ip
            && binding.mac == row.mac
            && binding.interface.same_interface(interface)
    };
    seen.bindings.iter().any(held)
}

/// What the rows want gone and the switches still hold, with the MAC that the row has or one that it had.
fn left_over(seen: &[SwitchContents], known: &Records) -> Vec<Finding> {
    let ports = known.rows.iter().filter(|row| row.settled).flat_map(|row| row.bindings.iter().map(move |b| (row, b)));
    let gone = ports.filter(|(row, port)| row.status == Status::Revoked || (port.leaving && port.is_met(row.desired)));
    let held = gone.flat_map(|(row, binding)| {
        let here = seen.iter().filter(move |seen| seen.switch == binding.switch).flat_map(|seen| &seen.bindings);
        let is_held = move |held: &&PresentBinding| {
            held.ip == row.ip && row.had(held.mac) && held.interface.same_interface(&binding.interface)
        };
        here.filter(is_held).map(move |held| (row, binding, held.mac))
    });
    let finding = |(row, binding, mac): (&AuditedRow, &SwitchBinding, Mac)| {
        let mut finding = mended(FindingKind::LeftOver, row, &binding.switch, binding.interface.clone());
        finding.places.iter_mut().for_each(|place| place.mac = mac);
        finding
    };
    held.map(finding).collect()
}

fn mended(kind: FindingKind, row: &AuditedRow, switch: &SwitchName, interface: InterfaceName) -> Finding {
    let place = BoundPort { switch: switch.clone(), interface, ip: Some(row.ip), mac: row.mac };
    Finding { kind, places: vec![place], vmac_id: Some(row.id), mended_on: Some(switch.clone()) }
}

/// Bindings that are neither a row's nor those of a server's own MAC on its port.
fn unexplained(seen: &[SwitchContents], places: &BoundPorts<'_>) -> Vec<Finding> {
    let all = seen.iter().flat_map(|seen| in_force(seen).map(move |binding| place(&seen.switch, binding)));
    let strange: BTreeSet<BoundPort> = all.filter(|place| !places.explain(place)).collect();
    let finding = |place: BoundPort| {
        let vmac_id = places.row_of(place.mac);
        Finding { kind: FindingKind::Unexplained, places: vec![place], vmac_id, mended_on: None }
    };
    strange.into_iter().map(finding).collect()
}

/// The bindings of a switch that are not inactive.
fn in_force(seen: &SwitchContents) -> impl Iterator<Item = &PresentBinding> {
    seen.bindings.iter().filter(|binding| binding.is_active())
}

fn place(switch: &SwitchName, binding: &PresentBinding) -> BoundPort {
    let (interface, ip) = (binding.interface.clone(), Some(binding.ip));
    BoundPort { switch: switch.clone(), interface, ip, mac: binding.mac }
}
