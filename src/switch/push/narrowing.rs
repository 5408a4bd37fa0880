//! Pushing a group of changes: a refused group is narrowed until each change that the switch refuses is alone, within
//! bounds. A refusal that is none of the changes' ends the push as one trouble of the switch.

use std::collections::VecDeque;
use std::time::Instant;

use super::Push;
use super::blame::{AddressSteps, Blame, blame, halves, is_over, named_are_due, parted, refused_macs, samples};
use super::journal::RowSource;
use super::transaction::CommitOutcome;
use crate::domain::plan::{PresentBinding, Step, apply, fall_back, of_macs};
use crate::domain::{Code, Failure};
use crate::switch::error::{SwitchError, is_duplicate_mac, words};
use crate::switch::known::KnownConfiguration;
use crate::switch::netconf::RpcError;

/// What is left to try, and what was seen so far.
#[derive(Default)]
pub(super) struct Narrowing {
    /// What is bound on the switch.
    present: Vec<PresentBinding>,
    groups: VecDeque<Vec<AddressSteps>>,
    /// Changes that errors named: each is tried alone after those that were not.
    named: VecDeque<AddressSteps>,
    /// Changes that were refused alone by errors that do not name them, with the words.
    alone: Vec<(AddressSteps, Failure, String)>,
    refusals: u32,
    first_refused: Option<Instant>,
    sampled: bool,
    empty_passed: bool,
    /// Something was committed.
    any_took: bool,
    /// A change failed for good.
    any_failed: bool,
}

impl Narrowing {
    pub fn of(group: Vec<AddressSteps>, present: Vec<PresentBinding>) -> Self {
        Self { present, groups: VecDeque::from([group]), ..Self::default() }
    }

    /// The next group to try; those with named changes in them are left for the next push once these are due.
    fn next(&mut self) -> Option<Vec<AddressSteps>> {
        if named_are_due(self.refusals) && !self.named.is_empty() {
            self.groups.clear();
        }
        let group = self.groups.pop_front();
        group.or_else(|| self.named.pop_front().map(|steps| vec![steps]))
    }

    /// What is bound once the group is pushed.
    fn after(&self, group: &[AddressSteps]) -> Vec<PresentBinding> {
        let mut after = self.present.clone();
        group.iter().flatten().flat_map(|step| &step.changes).for_each(|change| apply(change, &mut after));
        after
    }

    fn is_over(&self) -> bool {
        self.first_refused.is_some_and(|first| is_over(self.refusals, first.elapsed()))
    }

    fn try_first(&mut self, parts: Vec<Vec<AddressSteps>>) {
        parts.into_iter().rev().for_each(|part| self.groups.push_front(part));
    }

    /// True when another change was refused with the same words while none was taken.
    fn is_for_any(&self, words: &str) -> bool {
        !self.any_took && self.alone.iter().any(|(.., said)| said == words)
    }
}

impl<D: RowSource> Push<'_, D> {
    /// Pushes a group; what is refused is narrowed, the parts tried one after another. What is left when the bounds are
    /// reached has no result: it goes on in the next push.
    pub(super) async fn push_groups(
        &mut self,
        group: Vec<AddressSteps>,
        known: &KnownConfiguration,
    ) -> Result<(), Failure> {
        let mut left = Narrowing::of(group, known.bindings.clone());
        while let Some(group) = left.next() {
            match self.try_group(&group, &known.backup).await? {
                CommitOutcome::Confirmed { push_id, backup_id } => {
                    left.any_took = true;
                    left.present = left.after(&group);
                    for step in group.into_iter().flatten() {
                        self.reached(step, Some((push_id.clone(), Some(backup_id))));
                    }
                }
                CommitOutcome::RolledBack(failure) => {
                    left.any_failed = true;
                    self.fail(group, &failure);
                }
                CommitOutcome::Refused(error, errors) => self.refused(&mut left, group, &error, &errors).await?,
            }
            if left.is_over() {
                return self.leave(left);
            }
        }
        self.fail_alone(left);
        Ok(())
    }

    async fn refused(
        &mut self,
        left: &mut Narrowing,
        mut group: Vec<AddressSteps>,
        error: &SwitchError,
        errors: &[RpcError],
    ) -> Result<(), Failure> {
        left.refusals += 1;
        left.first_refused.get_or_insert_with(Instant::now);
        if self.removes_instead(left, &mut group, errors) {
            left.groups.push_front(group);
            return Ok(());
        }
        let blame = blame(&group, errors);
        if blame != Blame::Named && !left.empty_passed {
            self.check_empty().await?;
            left.empty_passed = true;
        }
        if group.len() > 1 {
            narrow_further(left, group, errors, blame);
            return Ok(());
        }
        if blame == Blame::Named {
            left.any_failed = true;
            let failure = self.with_rule(error.failure());
            self.fail(group, &failure);
            return Ok(());
        }
        let said = words(errors);
        let is_none_of_its = blame == Blame::Elsewhere && !left.any_took;
        if is_none_of_its || left.is_for_any(&said) {
            return Err(self.standing(&said));
        }
        left.alone.extend(group.pop().map(|steps| (steps, error.failure(), said)));
        Ok(())
    }

    /// After a refusal: corrects the belief about duplicates, and removes what the switch keeps from being restored. True
    /// when the group is another one now.
    fn removes_instead(&mut self, left: &Narrowing, group: &mut [AddressSteps], errors: &[RpcError]) -> bool {
        let client = &mut self.transaction.client;
        if is_duplicate_mac(errors) {
            let mut after = left.after(group);
            let refused = refused_macs(group, errors);
            for of_one_mac in of_macs(&after, |mac| refused.contains(&mac)) {
                client.correct_duplicates(client.duplicates().after_refusal(&of_one_mac));
            }
            let steps = group.iter_mut().flatten();
            if fall_back(steps, &mut after, client.duplicates().rule) {
                return true;
            }
        }
        match group {
            [alone] => alone.iter_mut().map(Step::remove_instead).filter(|removes| *removes).count() > 0,
            _ => false,
        }
    }

    /// Asks whether the switch would commit what it has: where it does not, it is none of the changes' fault.
    async fn check_empty(&mut self) -> Result<(), Failure> {
        match self.transaction.client.check_commit().await {
            Err(SwitchError::Refused { errors, .. }) => Err(self.standing(&words(&errors))),
            answered => self.transaction.noted(answered),
        }
    }

    /// A refused duplicate, with the rule that it is refused by.
    fn with_rule(&self, failure: Failure) -> Failure {
        let duplicates = self.transaction.client.duplicates();
        match failure.code {
            Code::DuplicateMac => {
                let (rule, words) = (duplicates.rule.as_str(), duplicates.rule.in_words());
                let source = duplicates.source_in_words();
                Failure::new(failure.code, format!("{}; {words} there (rule `{rule}`, {source})", failure.text))
            }
            _ => failure,
        }
    }

    fn standing(&self, words: &str) -> Failure {
        let switch = self.transaction.client.name();
        let text = format!(
            "{switch} refuses to commit for something that is none of the changes that wait: {words}; mend that on \
             {switch}, and what waits goes on by itself"
        );
        Failure::new(Code::ConfigurationRefused, text)
    }

    /// Ends the narrowing at its bounds.
    fn leave(&mut self, left: Narrowing) -> Result<(), Failure> {
        if !left.any_took && !left.any_failed {
            let said = left.alone.first().map(|(.., said)| said.as_str());
            return Err(self.standing(said.unwrap_or("each part of them that was tried was refused")));
        }
        tracing::info!(
            switch = self.transaction.client.name(),
            refusals = left.refusals,
            "many refusals under one lock; the rest goes on in the next push"
        );
        self.fail_alone(left);
        Ok(())
    }

    fn fail_alone(&mut self, left: Narrowing) {
        for (steps, failure, _) in left.alone {
            self.fail(vec![steps], &failure);
        }
    }
}

fn narrow_further(left: &mut Narrowing, group: Vec<AddressSteps>, errors: &[RpcError], blame: Blame) {
    if blame == Blame::Named {
        let (others, named) = parted(group, errors);
        match others.is_empty() {
            true => left.try_first(halves(named)),
            false => {
                left.named.extend(named);
                left.groups.push_front(others);
            }
        }
    } else if left.sampled {
        left.try_first(halves(group));
    } else {
        left.sampled = true;
        left.try_first(samples(group));
    }
}
