//! A row after a push. Pure.

use chrono::{DateTime, Utc};

use crate::domain::plan::{Reached, Wish, WishResult};
use crate::domain::{BindingState, Desired, Failure, FailureClass, RetryPolicy, Status, SwitchBinding, derive_status};
use crate::store::commands::outcome::Outcome;
use crate::store::database::clock::millis;
use crate::store::vmacs::Vmac;
use crate::store::work::leases::Lease;

/// A row as it was when a push gathered it.
#[derive(Debug, Clone, Copy)]
pub struct GatheredRow {
    /// Its generation: a result for an older one finishes nothing.
    pub generation: i64,
    /// Attempts on this switch that failed by the row's own fault.
    pub attempts: i64,
}

/// A row after the results were put into it.
pub(super) struct RowAfterPush {
    pub vmac: Vmac,
    /// There were results for it.
    pub is_changed: bool,
    /// The row's intent is settled, one way or the other.
    pub ended: Option<Outcome>,
    pub failure: Option<Failure>,
    /// Nothing is left to do on this switch.
    pub done_here: bool,
    /// When it is retried, where it failed by its own fault.
    pub retry: Option<Retry>,
    /// Attempts on this switch, this one included.
    pub attempts: i64,
}

/// When a change is retried.
pub(super) struct Retry {
    pub attempts: i64,
    pub due_at_ms: i64,
}

/// What a result is for its row.
struct Seen<'a> {
    lease: &'a Lease,
    /// It is for the row's intent as it is now.
    current: bool,
    attempts: i64,
    policy: &'a RetryPolicy,
    now: DateTime<Utc>,
}

/// Puts the results for one row into it.
pub(super) fn change(
    mut vmac: Vmac,
    gathered: Option<GatheredRow>,
    results: &[&WishResult],
    lease: &Lease,
    policy: &RetryPolicy,
    now: DateTime<Utc>,
) -> RowAfterPush {
    let current = gathered.is_some_and(|row| row.generation == vmac.generation);
    if results.is_empty() {
        return untouched(vmac, lease);
    }
    let attempts = gathered.map_or(0, |row| row.attempts) + 1;
    let seen = Seen { lease, current, attempts, policy, now };
    let mut failure: Option<(Failure, bool)> = None;
    for result in results {
        let same = |binding: &&mut SwitchBinding| binding.is_at(&lease.switch, &result.wish.interface);
        let Some(binding) = vmac.switch_bindings.iter_mut().find(same) else { continue };
        match &result.end {
            Ok(reached) => reach(binding, &result.wish, reached, now),
            Err(why) => {
                // Of several failures a permanent one is the row's.
                let this = seen.fail(binding, why);
                failure = failure.filter(|(_, is_final)| *is_final && !this.1).or(Some(this));
            }
        }
        vmac.vlan_name = vmac.vlan_name.take().or_else(|| result.wish.vlan.clone());
    }
    if !current {
        // The intent changed during the push: what the switch holds now must be checked again.
        reopen(&mut vmac, lease);
    }
    conclude(vmac, failure, &seen)
}

/// The row with a permanent failure on every port that waits here.
pub(super) fn failed(
    mut vmac: Vmac,
    failure: &Failure,
    lease: &Lease,
    attempts: i64,
    now: DateTime<Utc>,
) -> RowAfterPush {
    let seen = Seen { lease, current: true, attempts, policy: &RetryPolicy::default(), now };
    let desired = vmac.desired;
    let waits = |port: &&mut SwitchBinding| port.switch == lease.switch && !port.is_met(desired);
    for binding in vmac.switch_bindings.iter_mut().filter(waits) {
        binding.state = BindingState::Failed;
        binding.error = Some(failure.text.clone());
        binding.at = now;
    }
    conclude(vmac, Some((failure.clone(), true)), &seen)
}

/// A row that nothing was to be done for.
fn untouched(vmac: Vmac, lease: &Lease) -> RowAfterPush {
    let done_here = !waits_here(&vmac, lease);
    RowAfterPush { vmac, is_changed: false, ended: None, failure: None, done_here, retry: None, attempts: 0 }
}

impl Seen<'_> {
    /// Returns the failure, and whether it is permanent.
    fn fail(&self, binding: &mut SwitchBinding, why: &Failure) -> (Failure, bool) {
        let end = self.policy.end_of_attempts(why, self.attempts);
        let is_final = end.is_some();
        let failure = end.unwrap_or_else(|| why.clone());
        binding.error = Some(failure.text.clone());
        binding.at = self.now;
        if self.current && is_final {
            binding.state = BindingState::Failed;
        }
        (failure, is_final)
    }

    fn retry(&self, failure: &Failure) -> Retry {
        let counts = failure.class() != FailureClass::Deferred;
        let attempts = if counts { self.attempts } else { self.attempts - 1 };
        Retry { attempts, due_at_ms: self.now.timestamp_millis() + millis(self.policy.delay(self.attempts)) }
    }
}

fn reach(binding: &mut SwitchBinding, wish: &Wish, reached: &Reached, now: DateTime<Utc>) {
    let (state, mac) = reached.binding(wish);
    binding.interface = wish.interface.clone();
    binding.vlan = wish.vlan.clone().or(binding.vlan.take());
    binding.state = state;
    binding.mac = mac;
    binding.error = None;
    binding.at = now;
    // What was shown of another state proves nothing of this one. Whether it is in force is asked again after the push, and
    // reported where that changes.
    if reached.push.is_some() || state != BindingState::Bound {
        binding.evidence.clear();
    }
    if state != BindingState::Bound {
        binding.in_force = None;
    }
    if let Some((push_id, backup_id)) = &reached.push {
        binding.previous_mac = reached.previous_mac;
        binding.backup_id = *backup_id;
        binding.push_id = Some(push_id.clone());
    }
}

fn reopen(vmac: &mut Vmac, lease: &Lease) {
    for binding in vmac.switch_bindings.iter_mut().filter(|binding| binding.switch == lease.switch) {
        binding.state = BindingState::Pending;
    }
}

fn waits_here(vmac: &Vmac, lease: &Lease) -> bool {
    vmac.switch_bindings.iter().any(|binding| {
        binding.switch == lease.switch && binding.state != BindingState::Failed && !binding.is_met(vmac.desired)
    })
}

fn conclude(mut vmac: Vmac, failure: Option<(Failure, bool)>, seen: &Seen<'_>) -> RowAfterPush {
    let before = vmac.status;
    let is_final = failure.as_ref().is_some_and(|(_, is_final)| *is_final);
    let failure = failure.map(|(failure, _)| failure);
    vmac.status = derive_status(vmac.status, vmac.desired, &vmac.switch_bindings);
    match &failure {
        Some(why) => {
            vmac.attempts += i64::from(why.class() == FailureClass::Transient);
            vmac.failure_code = Some(why.code.to_string());
            vmac.failure_text = Some(why.text.clone());
        }
        None if vmac.status != Status::Failed => {
            vmac.failure_code = None;
            vmac.failure_text = None;
        }
        None => {}
    }
    // A row that is checked once more keeps its status until a push has seen what the switch holds.
    let met = vmac.switch_bindings.iter().all(|binding| binding.is_met(vmac.desired));
    let ended = match (seen.current, vmac.status, vmac.desired) {
        (true, Status::Active, Desired::Bound) if met => Some(Outcome::Active),
        (true, Status::Revoked, Desired::Unbound) if met => Some(Outcome::Revoked),
        (true, Status::Failed, _) if is_final || before != Status::Failed => Some(Outcome::Failed),
        _ => None,
    };
    let done_here = !waits_here(&vmac, seen.lease);
    let retry = failure.as_ref().filter(|_| !done_here && seen.current).map(|failure| seen.retry(failure));
    RowAfterPush { ended, failure, done_here, retry, attempts: seen.attempts, is_changed: true, vmac }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::domain::plan::EndState;
    use crate::domain::{Code, Mac, SwitchBinding};

    const MAC: Mac = Mac::new([0x02, 0, 0, 0, 0, 1]);

    fn now() -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(20_000)
    }

    fn lease() -> Lease {
        Lease { switch: "sw-a".parse().expect("a name"), holder: "w".to_owned(), token: 1 }
    }

    fn port(interface: &str) -> SwitchBinding {
        SwitchBinding {
            switch: "sw-a".parse().expect("a name"),
            server_id: None,
            leaving: false,
            interface: interface.parse().expect("a name"),
            vlan: None,
            mac: MAC,
            state: BindingState::Pending,
            previous_mac: None,
            backup_id: None,
            push_id: None,
            error: None,
            evidence: Vec::new(),
            in_force: None,
            at: now(),
        }
    }

    /// A pending row with these ports on sw-a, of generation 3.
    fn row(interfaces: &[&str]) -> Vmac {
        Vmac {
            id: 7,
            server_id: 1,
            ip_address: "10.0.1.10".parse().expect("an address"),
            mac_address: MAC,
            vlan_name: None,
            status: Status::Pending,
            desired: Desired::Bound,
            generation: 3,
            switch_bindings: interfaces.iter().map(|interface| port(interface)).collect(),
            failure_code: None,
            failure_text: None,
            attempts: 0,
            group: None,
            requested_by: None,
            reference: None,
            created_at: now(),
            updated_at: now(),
            activated_at: None,
            revoked_at: None,
        }
    }

    fn result(interface: &str, end: Result<EndState, Code>) -> WishResult {
        let wish = Wish {
            vmac_id: 7,
            desired: Desired::Bound,
            leaving: false,
            interface: interface.parse().expect("a name"),
            ip: "10.0.1.10".parse().expect("an address"),
            mac: MAC,
            pxe_mac: MAC,
            primary_ip: None,
            vlan: None,
        };
        let reached = |end| Reached { end, previous_mac: None, push: None };
        WishResult { wish, end: end.map(reached).map_err(|code| Failure::new(code, "no")) }
    }

    /// What the results come to, gathered at this generation after this many attempts.
    fn changed(interfaces: &[&str], gathered: (i64, i64), results: &[WishResult]) -> RowAfterPush {
        let gathered = GatheredRow { generation: gathered.0, attempts: gathered.1 };
        let results: Vec<&WishResult> = results.iter().collect();
        change(row(interfaces), Some(gathered), &results, &lease(), &RetryPolicy::default(), now())
    }

    #[test]
    fn a_failure_of_the_changes_own_is_tried_later_and_ends_it_after_the_last_attempt() {
        let differs = [result("ge-0/0/1", Err(Code::ReadBackDiffers))];
        let again = changed(&["ge-0/0/1"], (3, 2), &differs);
        let retry = again.retry.expect("tried again");
        assert_eq!((retry.attempts, again.attempts, again.done_here, again.ended), (3, 3, false, None));
        let delay_ms = retry.due_at_ms - now().timestamp_millis();
        assert!((2_000..=6_000).contains(&delay_ms), "the third delay: {delay_ms}");
        let last = changed(&["ge-0/0/1"], (3, 7), &differs);
        assert_eq!((last.ended, last.done_here, last.retry.is_none()), (Some(Outcome::Failed), true, true));
        assert!(last.failure.is_some_and(|failure| failure.text.ends_with("(gave up after 8 attempts)")));
    }

    #[test]
    fn a_result_for_an_older_intent_ends_nothing_and_delays_nothing() {
        for end in [Ok(EndState::Bound), Err(Code::RefusedBySwitch), Err(Code::ReadBackDiffers)] {
            let change = changed(&["ge-0/0/1"], (2, 7), &[result("ge-0/0/1", end)]);
            assert_eq!((change.ended, change.done_here, change.retry.is_none()), (None, false, true), "{end:?}");
            assert_eq!(change.vmac.switch_bindings[0].state, BindingState::Pending, "{end:?}");
        }
    }

    #[test]
    fn a_failure_for_good_is_what_became_of_a_row_with_several_ports() {
        let (refused, differs) = (Err(Code::RefusedBySwitch), Err(Code::ReadBackDiffers));
        for ends in [[refused, differs], [differs, refused], [refused, Ok(EndState::Bound)]] {
            let results = [result("ge-0/0/1", ends[0]), result("ge-0/0/2", ends[1])];
            let change = changed(&["ge-0/0/1", "ge-0/0/2"], (3, 0), &results);
            let code = change.failure.map(|failure| failure.code);
            assert_eq!((code, change.ended), (Some(Code::RefusedBySwitch), Some(Outcome::Failed)), "{ends:?}");
        }
    }

    #[test]
    fn a_row_that_nothing_was_to_be_done_for_is_left_as_it_is() {
        let gathered = GatheredRow { generation: 3, attempts: 0 };
        let mut bound = row(&["ge-0/0/1"]);
        bound.switch_bindings[0].state = BindingState::Bound;
        let change = change(bound.clone(), Some(gathered), &[], &lease(), &RetryPolicy::default(), now());
        assert_eq!((change.vmac, change.is_changed, change.done_here), (bound, false, true));
    }
}
