//! What of a switch speaks for and against a binding.

use std::collections::HashSet;

use super::{AskedBinding, Exempt, Guards, InForceReason, MacLimit, PortGuard, ShownTable, SwitchAnswers, reasons};
use crate::domain::audit::LearnedMac;
use crate::domain::evidence::EvidenceTable;
use crate::domain::plan::PresentBinding;
use crate::domain::{InterfaceName, Mac};

/// Whether a table has it.
pub(super) enum Shown {
    Yes(EvidenceTable),
    No(EvidenceTable),
    /// The switch does not show the table.
    Silent,
}

/// Whether anything looks at the port.
pub(super) enum Guarded {
    /// IP source guard does.
    BySource,
    /// Only inspection of ARP or neighbour discovery does.
    ByInspection,
    No(InForceReason),
    Unknown(InForceReason),
}

pub(super) struct Facts {
    /// The configuration holds it, active.
    pub stands: bool,
    /// What keeps the MAC out.
    pub barred: Option<InForceReason>,
    pub source_guard: Shown,
    pub guarded: Guarded,
    pub bindings: Shown,
}

impl Facts {
    pub fn of(binding: &AskedBinding, guard: &PortGuard, seen: &SwitchAnswers) -> Self {
        let v6 = binding.ip.ip().is_ipv6();
        Self {
            stands: seen.present.iter().any(|held| is_of(held, binding)),
            barred: barred(binding, guard, seen),
            source_guard: shown(seen.source_guard.as_ref().filter(|_| !v6), binding),
            guarded: guarded(binding, guard),
            bindings: shown(if v6 { seen.bindings_v6.as_ref() } else { seen.bindings.as_ref() }, binding),
        }
    }
}

fn is_of(held: &PresentBinding, binding: &AskedBinding) -> bool {
    held.is_active()
        && held.ip == binding.ip
        && held.mac == binding.mac
        && held.interface.same_interface(&binding.interface)
}

fn shown(table: Option<&ShownTable>, binding: &AskedBinding) -> Shown {
    match table {
        None => Shown::Silent,
        Some(ShownTable { table, entries }) if entries.shows(binding.ip, binding.mac, &binding.interface) => {
            Shown::Yes(*table)
        }
        Some(ShownTable { table, .. }) => Shown::No(*table),
    }
}

fn guarded(binding: &AskedBinding, guard: &PortGuard) -> Guarded {
    let Some(Guards { sources, inspection }) = guard.vlan else {
        return Guarded::Unknown(reasons::vlan_unknown(binding));
    };
    match &guard.exempt {
        _ if !sources && !inspection => Guarded::No(reasons::guards_off(binding)),
        Some(Exempt::Trusted(statement)) => Guarded::No(reasons::trusted(binding, statement)),
        // IP source guard does not look at trunks, also not at untrusted ones (JNPR "untrusted").
        Some(Exempt::Trunk { untrusted }) if !(*untrusted && inspection) => Guarded::No(reasons::trunk(binding)),
        Some(Exempt::Trunk { .. }) => Guarded::ByInspection,
        None if sources => Guarded::BySource,
        None => Guarded::ByInspection,
    }
}

/// What keeps the MAC from getting in at the port.
fn barred(binding: &AskedBinding, guard: &PortGuard, seen: &SwitchAnswers) -> Option<InForceReason> {
    if !guard.allowed.is_empty() && !guard.allowed.contains(&binding.mac) {
        return Some(reasons::not_allowed(binding));
    }
    // Where the switch has learned it, it gets in.
    if seen.learned_on(binding).any(|is_here| is_here) {
        return None;
    }
    let elsewhere = if binding.has_other_ports { None } else { elsewhere(binding, seen) };
    elsewhere.or_else(|| full(binding, guard, seen))
}

/// The MAC was learned on a port where nothing binds it.
fn elsewhere(binding: &AskedBinding, seen: &SwitchAnswers) -> Option<InForceReason> {
    let bound_on = |learned: &LearnedMac| {
        let on = |held: &PresentBinding| {
            held.is_active() && held.mac == binding.mac && held.interface.same_interface(&learned.interface)
        };
        seen.present.iter().any(on)
    };
    let mut learned = seen.learned.iter().flatten();
    let learned = learned.find(|learned| learned.mac == binding.mac && !bound_on(learned))?;
    Some(match learned.kept {
        true => reasons::kept_elsewhere(binding, &learned.interface),
        false => reasons::learned_elsewhere(binding, &learned.interface),
    })
}

/// The port lets no more MACs in than those that it has learned, or than a part of those that are bound there.
fn full(binding: &AskedBinding, guard: &PortGuard, seen: &SwitchAnswers) -> Option<InForceReason> {
    let MacLimit { macs, .. } = guard.limit.as_ref()?;
    let here = |interface: &InterfaceName| interface.same_interface(&binding.interface);
    let learned: HashSet<Mac> =
        seen.learned.iter().flatten().filter(|learned| here(&learned.interface)).map(|learned| learned.mac).collect();
    let bound = seen.present.iter().filter(|held| held.is_active() && here(&held.interface));
    let bound: HashSet<Mac> = bound.map(|held| held.mac).collect();
    if learned.len() >= *macs {
        Some(if guard.keeps {
            reasons::kept(binding, guard, learned.len())
        } else {
            reasons::full(binding, guard, learned.len())
        })
    } else if bound.len() > *macs {
        Some(reasons::too_many(binding, guard, bound.len()))
    } else {
        None
    }
}
