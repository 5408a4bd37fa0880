//! The database's clock, asked for now and then and carried on by this machine's own in between.
//!
//! Leases and times of issue are compared by one clock, the database's. Asking it before each statement would double
//! the statements. The machine's monotonic clock runs on while a process is stopped; where it does not (a suspended
//! virtual machine) the time told is behind, which makes leases shorter and their takers later, never two of them: a
//! lease is held by its token, not by its time.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, SubsecRound, Utc};

/// How long an answer is carried on. In that time two machines' clocks drift apart by less than a millisecond.
const GOOD_FOR: Duration = Duration::from_secs(1);

/// The last answer.
#[derive(Debug, Default)]
pub(super) struct Clock(Mutex<Option<(Instant, DateTime<Utc>)>>);

impl Clock {
    /// The time, whole milliseconds; none where the database must be asked.
    pub fn carried_on(&self) -> Option<DateTime<Utc>> {
        let (asked, answer) = (*self.0.lock().unwrap_or_else(PoisonError::into_inner))?;
        let since = asked.elapsed();
        (since < GOOD_FOR).then(|| (answer + since).trunc_subsecs(3))
    }

    /// Takes an answer to a question asked at `asked`.
    pub fn set(&self, asked: Instant, answer: DateTime<Utc>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((asked, answer));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_carried_on_for_a_second_and_then_asked_for_again() {
        let clock = Clock::default();
        assert_eq!(clock.carried_on(), None);
        let answer = DateTime::from_timestamp_millis(1_700_000_000_000).expect("a time");
        let ago = |ms| Instant::now().checked_sub(Duration::from_millis(ms)).expect("an instant");
        clock.set(ago(500), answer);
        let carried = clock.carried_on().expect("still good") - answer;
        assert!((500..1_000).contains(&carried.num_milliseconds()), "{carried}");
        clock.set(ago(1_000), answer);
        assert_eq!(clock.carried_on(), None);
    }
}
