//! When to try again, and when to give up: the one place that uses the crate `backoff` (decision 0003).

use std::time::Duration;

use backoff::ExponentialBackoffBuilder;
use backoff::backoff::Backoff;

use crate::domain::{Code, Failure, FailureClass};

/// The bounds of trying again.
#[derive(Debug, Clone, Copy)]
pub struct RetryPolicy {
    /// Attempts before a change is given up for its own failures.
    pub attempts_max: u32,
    /// Shortest delay.
    pub delay_min: Duration,
    /// Longest delay, before up to half of it is added at random.
    pub delay_max: Duration,
    /// Longest delay of a switch in trouble: whatever waits for it goes on so soon after its return.
    pub switch_delay_max: Duration,
    /// How long a change waits for its switch's trouble to pass before it is given up.
    pub age_max: Duration,
    /// How long it waits before the event `vmac.waiting` tells its producer.
    pub tell_after: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts_max: 8,
            delay_min: Duration::from_secs(1),
            delay_max: Duration::from_secs(900),
            switch_delay_max: Duration::from_secs(20),
            age_max: Duration::from_secs(86_400),
            tell_after: Duration::from_secs(60),
        }
    }
}

impl RetryPolicy {
    /// The delay after the `failures`th failure in a row (the first is 1): doubled for each, with up to half of it added
    /// or taken at random, within the bounds.
    pub fn delay(&self, failures: i64) -> Duration {
        let mut intervals = ExponentialBackoffBuilder::new()
            .with_initial_interval(self.delay_min)
            .with_max_interval(self.delay_max)
            .with_multiplier(2.0)
            .with_randomization_factor(0.5)
            .with_max_elapsed_time(None)
            .build();
        // Beyond 32 doublings every bound is reached; it also bounds the loop.
        let interval = (0..failures.clamp(1, 32)).filter_map(|_| intervals.next_backoff()).last();
        interval.unwrap_or(self.delay_max).clamp(self.delay_min, self.delay_max)
    }

    /// The delay of a switch after the `failures`th trouble in a row. Logins that are refused over and over lock accounts, so
    /// these are tried as seldom as anything. Commits that are refused hold the switch's lock, and somebody has to correct
    /// the configuration first: these begin as if they had failed four times already.
    pub fn switch_delay(&self, code: Code, failures: i64) -> Duration {
        match code {
            Code::LoginRefused => self.delay(failures),
            Code::ConfigurationRefused => self.delay(failures.saturating_add(4)),
            _ => self.delay(failures).min(self.switch_delay_max.max(self.delay_min)),
        }
    }

    /// The delay of a command that waits for another to end: a quarter of what it has waited, within the bounds.
    pub fn deferral(&self, waited: Duration) -> Duration {
        (waited / 4).clamp(self.delay_min, self.delay_max)
    }

    /// The failure with which a change is given up after its `attempts`th attempt; none while it may be tried again.
    pub fn end_of_attempts(&self, failure: &Failure, attempts: i64) -> Option<Failure> {
        match failure.class() {
            FailureClass::Permanent => Some(failure.clone()),
            FailureClass::Transient if attempts >= i64::from(self.attempts_max) => {
                Some(Failure::new(failure.code, format!("{} (gave up after {attempts} attempts)", failure.text)))
            }
            FailureClass::Transient | FailureClass::Deferred => None,
        }
    }

    /// The failure with which a change is given up that waited so long; none while it may go on waiting.
    pub fn end_of_waiting(&self, failure: &Failure, waited: Duration) -> Option<Failure> {
        let is_over = failure.code.ages() && waited >= self.age_max;
        is_over.then(|| {
            Failure::new(
                failure.code,
                format!("{} (gave up after waiting for {} s)", failure.text, self.age_max.as_secs()),
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn policy() -> RetryPolicy {
        RetryPolicy::default()
    }

    #[test]
    fn the_delay_doubles_until_the_longest() {
        for (failures, middle_s) in [(1, 1.0), (2, 2.0), (4, 8.0), (8, 128.0)] {
            let delay_s = policy().delay(failures).as_secs_f64();
            assert!((middle_s * 0.5..=middle_s * 1.5).contains(&delay_s), "{failures}: {delay_s}");
        }
    }

    #[test]
    fn a_changes_own_failures_end_it_at_once_or_after_the_last_attempt() {
        let ended = |code, attempts| policy().end_of_attempts(&Failure::new(code, "no"), attempts).is_some();
        assert!(ended(Code::RefusedBySwitch, 1));
        assert!(!ended(Code::ReadBackDiffers, 7) && ended(Code::ReadBackDiffers, 8));
        assert!(!ended(Code::Unreachable, 1_000), "a switch's trouble costs no attempt");
    }

    #[test]
    fn a_switch_is_tried_soon_unless_it_refuses_the_login_or_every_commit() {
        assert_eq!(policy().switch_delay(Code::Unreachable, 100), Duration::from_secs(20));
        assert!(policy().switch_delay(Code::Unreachable, 1) < Duration::from_secs(2));
        assert!(policy().switch_delay(Code::LoginRefused, 100) >= Duration::from_secs(450));
        let begins_s = policy().switch_delay(Code::ConfigurationRefused, 1).as_secs();
        assert!((8..=24).contains(&begins_s), "{begins_s}");
    }

    #[test]
    fn waiting_for_a_switch_ends_by_age_and_a_freeze_never_does() {
        let ended = |code, waited_s| {
            policy().end_of_waiting(&Failure::new(code, "no"), Duration::from_secs(waited_s)).is_some()
        };
        assert!(!ended(Code::Unreachable, 86_399) && ended(Code::Unreachable, 86_400));
        assert!(!ended(Code::Frozen, 1_000_000) && !ended(Code::SiteLimit, 1_000_000));
    }

    proptest! {
        #[test]
        fn delays_stay_within_their_bounds(failures in 0i64..1000, waited_s in 0u64..10_000_000) {
            let bounds = policy().delay_min..=policy().delay_max;
            prop_assert!(bounds.contains(&policy().delay(failures)));
            prop_assert!(bounds.contains(&policy().deferral(Duration::from_secs(waited_s))));
        }
    }
}
