//! What the switch's rule of duplicates says of a plan.

use std::collections::{BTreeMap, HashMap};

use super::{Change, EndState, Planned, PresentBinding, Step, Wish, apply};
use crate::domain::{Code, DuplicateRule, Duplicates, Failure, Mac};

/// True when the server's own MAC stands where the switch would refuse it again at `at`, a binding of the wish's address.
pub(super) fn pxe_stands(wish: &Wish, at: &PresentBinding, present: &[PresentBinding], rule: DuplicateRule) -> bool {
    present.iter().any(|held| held.mac == wish.pxe_mac && rule.forbids(held, at))
}

/// The rows that would be bound where it is known that the switch refuses it, by what it holds once the plan is carried out.
/// What is only likely is tried.
pub(super) fn clashing(
    planned: &[(usize, Planned)],
    after: &[PresentBinding],
    duplicates: Duplicates,
) -> HashMap<i64, Failure> {
    if !duplicates.is_sure() {
        return HashMap::new();
    }
    let mut of_mac: HashMap<Mac, Vec<&PresentBinding>> = HashMap::new();
    after.iter().for_each(|held| of_mac.entry(held.mac).or_default().push(held));
    let clash = |step: &Step| {
        let bound: Vec<_> = step.changes.iter().filter_map(binding_of).collect();
        bound.iter().find_map(|bound| {
            let held = of_mac.get(&bound.mac)?.iter().find(|held| duplicates.rule.forbids(held, bound))?;
            Some(failure(bound, held, duplicates))
        })
    };
    let binds = planned.iter().filter_map(|(_, step)| step.as_ref().ok().filter(|step| step.end == EndState::Bound));
    binds.filter_map(|step| Some((step.wish.vmac_id, clash(step)?))).collect()
}

fn failure(bound: &PresentBinding, held: &PresentBinding, duplicates: Duplicates) -> Failure {
    let (rule, words) = (duplicates.rule.as_str(), duplicates.rule.in_words());
    let text = format!(
        "{} stands for {} on {} and cannot stand for {} on {} too: {words} (rule `{rule}`, {}); use ports of different \
         switches, or set `duplicates` of the switch in the inventory if it takes this",
        bound.mac,
        held.ip,
        held.interface,
        bound.ip,
        bound.interface,
        duplicates.source_in_words()
    );
    Failure::new(Code::DuplicateMac, text)
}

fn binding_of(change: &Change) -> Option<PresentBinding> {
    let mut made = Vec::new();
    apply(change, &mut made);
    made.pop()
}

impl Step {
    /// Brings the removal about instead of the PXE MAC, where the step would restore that.
    pub fn remove_instead(&mut self) -> bool {
        if self.instead.is_empty() {
            return false;
        }
        self.changes = std::mem::take(&mut self.instead);
        self.end = EndState::Removed;
        true
    }

    /// The MAC that the step restores, and where, as long as it may be removed instead.
    pub fn restored(&self) -> Option<PresentBinding> {
        if self.instead.is_empty() { None } else { self.changes.iter().find_map(binding_of) }
    }
}

/// Removes instead what the rule keeps from being restored beside `present`, which holds the steps' changes. True when any
/// step was changed.
pub fn fall_back<'a>(
    steps: impl Iterator<Item = &'a mut Step>,
    present: &mut Vec<PresentBinding>,
    rule: DuplicateRule,
) -> bool {
    let mut any = false;
    for step in steps {
        let Some(at) = step.restored() else { continue };
        let stands = present.iter().any(|held| held.mac == at.mac && rule.forbids(held, &at));
        if stands && step.remove_instead() {
            present.retain(|held| !(held.ip == at.ip && held.mac == at.mac && held.interface == at.interface));
            any = true;
        }
    }
    any
}

/// The bindings with each of these MACs that stand more than once.
pub fn of_macs(present: &[PresentBinding], macs: impl Fn(Mac) -> bool) -> Vec<Vec<PresentBinding>> {
    let mut by_mac: BTreeMap<Mac, Vec<PresentBinding>> = BTreeMap::new();
    for held in present.iter().filter(|held| macs(held.mac)) {
        by_mac.entry(held.mac).or_default().push(held.clone());
    }
    by_mac.into_values().filter(|held| held.len() > 1).collect()
}
