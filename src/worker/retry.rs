//! When to try again: the one place that uses the crate `backoff`.

use std::time::Duration;

use backoff::ExponentialBackoffBuilder;
use backoff::backoff::Backoff;

/// The bounds of the retry ladder.
#[derive(Debug, Clone, Copy)]
pub struct RetryPolicy {
    /// Attempts before a message is given up.
    pub attempts_max: u32,
    /// Shortest delay.
    pub delay_min: Duration,
    /// Longest delay.
    pub delay_max: Duration,
    /// Age at which a message is given up whatever its attempts.
    pub age_max: Duration,
    /// How long a switch's circuit stays open.
    pub circuit_open: Duration,
}

impl RetryPolicy {
    /// The delay before attempt number `attempt` (the first retry is 1): doubled for each attempt,
    /// with up to half of it added or taken at random, within the bounds.
    pub fn delay(&self, attempt: u32) -> Duration {
        let mut intervals = ExponentialBackoffBuilder::new()
            .with_initial_interval(self.delay_min)
            .with_max_interval(self.delay_max)
            .with_multiplier(2.0)
            .with_randomization_factor(0.5)
            .with_max_elapsed_time(None)
            .build();
        // Beyond 32 doublings every bound is reached; it also bounds the loop.
        let interval = (0..attempt.clamp(1, 32)).filter_map(|_| intervals.next_backoff()).last();
        interval.unwrap_or(self.delay_max).clamp(self.delay_min, self.delay_max)
    }

    /// As [`Self::delay`], for a switch that is not tried: its messages come no sooner than it may be.
    pub fn delay_of_open_circuit(&self, attempt: u32) -> Duration {
        self.delay(attempt).max(self.circuit_open).min(self.delay_max)
    }

    /// The delay of work that is deferred for nobody's fault: a quarter of its age, within the
    /// bounds, so that a lock of seconds costs seconds and one of hours is not asked about all the time.
    pub fn deferral(&self, age: Duration) -> Duration {
        (age / 4).clamp(self.delay_min, self.delay_max)
    }

    /// The delay of work that waits for something to end, such as a freeze, within the bounds.
    pub fn postponement(&self, left: Duration) -> Duration {
        left.clamp(self.delay_min, self.delay_max)
    }

    /// True when a message that failed `attempt` times, or is this old, is to be given up.
    pub fn is_exhausted(&self, attempt: u32, age: Duration) -> bool {
        attempt >= self.attempts_max || self.is_too_old(age)
    }

    /// True when a message of this age is to be given up.
    pub fn is_too_old(&self, age: Duration) -> bool {
        age >= self.age_max
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const POLICY: RetryPolicy = RetryPolicy {
        attempts_max: 8,
        delay_min: Duration::from_secs(1),
        delay_max: Duration::from_secs(900),
        age_max: Duration::from_secs(86_400),
        circuit_open: Duration::from_secs(15),
    };

    #[test]
    fn the_delay_doubles_until_the_longest() {
        for (attempt, middle_s) in [(1u32, 1.0), (2, 2.0), (4, 8.0), (8, 128.0)] {
            let delay_s = POLICY.delay(attempt).as_secs_f64();
            assert!((middle_s * 0.5..=middle_s * 1.5).contains(&delay_s), "{attempt}: {delay_s}");
        }
    }

    #[test]
    fn the_last_attempt_is_the_one_that_exhausts() {
        assert!(!POLICY.is_exhausted(7, Duration::ZERO));
        assert!(POLICY.is_exhausted(8, Duration::ZERO));
        assert!(POLICY.is_exhausted(1, Duration::from_secs(86_400)));
    }

    proptest! {
        #[test]
        fn delays_stay_within_their_bounds(attempt in 0u32..1000, age_s in 0u64..10_000_000) {
            let bounds = POLICY.delay_min..=POLICY.delay_max;
            prop_assert!(bounds.contains(&POLICY.delay(attempt)));
            prop_assert!(bounds.contains(&POLICY.delay_of_open_circuit(attempt)));
            prop_assert!(POLICY.delay_of_open_circuit(attempt) >= POLICY.circuit_open);
            prop_assert!(bounds.contains(&POLICY.deferral(Duration::from_secs(age_s))));
            prop_assert!(bounds.contains(&POLICY.postponement(Duration::from_secs(age_s))));
        }
    }
}
