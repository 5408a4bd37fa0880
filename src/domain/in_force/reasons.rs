//! The sentences for people.

use super::{AskedBinding, InForceCode, InForceReason, MacLimit, PortGuard};
use crate::domain::InterfaceName;
use crate::domain::evidence::EvidenceTable;

fn reason(code: InForceCode, text: String) -> InForceReason {
    InForceReason { code, text }
}

pub(super) fn not_bound(AskedBinding { ip, mac, interface, .. }: &AskedBinding) -> InForceReason {
    let text =
        format!("the switch's configuration does not bind {ip} to {mac} on {interface}, or the binding is inactive");
    reason(InForceCode::NotBound, text)
}

pub(super) fn not_allowed(AskedBinding { mac, interface, .. }: &AskedBinding) -> InForceReason {
    let text = format!("{interface} lets only the MACs of its `allowed-mac` list in, and {mac} is not on it");
    reason(InForceCode::AllowedMac, text)
}

pub(super) fn full(
    AskedBinding { mac, interface, .. }: &AskedBinding,
    guard: &PortGuard,
    learned: usize,
) -> InForceReason {
    let text =
        format!("{} is reached on {interface} by other MACs ({learned}), so that {mac} is not let in", limit(guard));
    reason(InForceCode::MacLimit, text)
}

pub(super) fn too_many(
    AskedBinding { mac, interface, .. }: &AskedBinding,
    guard: &PortGuard,
    bound: usize,
) -> InForceReason {
    let text = format!(
        "{} is too low for the {bound} MACs that are bound on {interface}, and {mac} was not learned",
        limit(guard)
    );
    reason(InForceCode::MacLimit, text)
}

pub(super) fn kept(
    AskedBinding { mac, interface, .. }: &AskedBinding,
    guard: &PortGuard,
    learned: usize,
) -> InForceReason {
    let text = format!(
        "{interface} keeps the MACs that it has learned (`persistent-learning`): with {learned} of them {} is reached, and \
         {mac} is not let in; clear those that are no longer used",
        limit(guard)
    );
    reason(InForceCode::PersistentLearning, text)
}

pub(super) fn kept_elsewhere(AskedBinding { mac, interface, .. }: &AskedBinding, on: &InterfaceName) -> InForceReason {
    let text = format!(
        "{on} learned {mac} and keeps it (`persistent-learning`), so that {interface} does not: clear it there (`clear \
         ethernet-switching table persistent-learning`)"
    );
    reason(InForceCode::PersistentLearning, text)
}

pub(super) fn learned_elsewhere(
    AskedBinding { mac, interface, .. }: &AskedBinding,
    on: &InterfaceName,
) -> InForceReason {
    let text =
        format!("the switch has learned {mac} on {on}, not on {interface}: look at the cabling, and who uses this MAC");
    reason(InForceCode::LearnedElsewhere, text)
}

pub(super) fn guards_off(AskedBinding { ip, vlan, .. }: &AskedBinding) -> InForceReason {
    let (sources, inspection) = match ip.ip().is_ipv6() {
        true => ("ipv6-source-guard", "neighbor-discovery-inspection"),
        false => ("ip-source-guard", "arp-inspection"),
    };
    let vlan = vlan.as_ref().map_or_else(|| "its VLAN".to_owned(), ToString::to_string);
    let text = format!("neither `{sources}` nor `{inspection}` is on in {vlan}: the binding blocks nothing");
    reason(InForceCode::GuardsOff, text)
}

pub(super) fn trunk(AskedBinding { interface, .. }: &AskedBinding) -> InForceReason {
    reason(InForceCode::Trunk, format!("{interface} is a trunk, and the switch does not check what comes in there"))
}

pub(super) fn trusted(AskedBinding { interface, .. }: &AskedBinding, statement: &str) -> InForceReason {
    let text = format!("{interface} is trusted (`{statement}`), and the switch does not check what comes in there");
    reason(InForceCode::Trusted, text)
}

pub(super) fn not_in_table(
    AskedBinding { ip, mac, interface, .. }: &AskedBinding,
    table: EvidenceTable,
) -> InForceReason {
    let text = format!(
        "the switch's table ({}) does not show {ip} with {mac} on {interface}, though its configuration has the binding: some \
         releases take it into force only after a lease has run out or a restart",
        table.as_str()
    );
    reason(InForceCode::NotInTable, text)
}

pub(super) fn not_shown() -> InForceReason {
    let text =
        "the switch does not show its table of bindings: its release has no such request, or the login may not see it";
    reason(InForceCode::NotShown, text.to_owned())
}

pub(super) fn vlan_unknown(AskedBinding { interface, .. }: &AskedBinding) -> InForceReason {
    let text = format!("nothing tells the VLAN of the binding on {interface}, and so not whether it is guarded");
    reason(InForceCode::VlanUnknown, text)
}

fn limit(guard: &PortGuard) -> String {
    guard.limit.as_ref().map_or_else(String::new, |MacLimit { statement, .. }| format!("`{statement}`"))
}
