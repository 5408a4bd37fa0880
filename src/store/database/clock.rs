//! The time: the database's clock, asked for now and then and carried on by this machine's own in between.
//!
//! Leases and times of issue are compared by one clock, the database's. Asking it before each statement would double
//! the statements. The machine's monotonic clock runs on while a process is stopped; where it does not (a suspended
//! virtual machine) the time is behind, which makes leases shorter and their takers later, never two of them: a
//! lease is held by its token, not by its time.
//!
//! Ages follow neither clock: what counts is for how long something was made to wait. That a clock jumped is logged, since
//! leases, delays and freezes do follow the database's.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

/// How long an answer is carried on. In that time two machines' clocks drift apart by less than a millisecond.
const GOOD_FOR: Duration = Duration::from_secs(1);
/// Clocks that differ by more than this from one answer to the next have jumped; less is how clocks are set right.
const JUMP_MIN: TimeDelta = TimeDelta::seconds(10);
/// A time is ahead by as long as the database took to answer, so the next one may be behind it by that much. Until it has
/// caught up the clock is held, so that what comes later never seems to have come earlier.
const STEP_BACK_MAX: TimeDelta = TimeDelta::seconds(1);

/// The last answer.
#[derive(Debug, Default)]
pub(in crate::store) struct Clock(Mutex<KnownTime>);

#[derive(Debug, Default)]
struct KnownTime {
    /// When the database was asked, by this machine's clock, and what it said.
    last: Option<(Instant, DateTime<Utc>)>,
    /// The last time that was returned.
    told: Option<DateTime<Utc>>,
}

impl Clock {
    /// The time, whole milliseconds; none where the database must be asked.
    pub fn carried_on(&self) -> Option<DateTime<Utc>> {
        let mut known = self.known();
        let (asked, answer) = known.last?;
        let since = asked.elapsed();
        (since < GOOD_FOR).then(|| known.tell((answer + since).trunc_subsecs(3)))
    }

    /// The time as far as it is known without asking: the last answer carried on, however old. This machine's own time
    /// where there never was one.
    pub fn best_known(&self) -> DateTime<Utc> {
        let last = self.known().last;
        last.map_or_else(Utc::now, |(asked, answer)| (answer + asked.elapsed()).trunc_subsecs(3))
    }

    /// Takes an answer to a question asked at `asked`, and logs where the database's clock jumped. The time to go by.
    pub fn learn(&self, asked: Instant, answer: DateTime<Utc>) -> DateTime<Utc> {
        if let Some(jump) = self.set(asked, asked.elapsed(), answer) {
            tracing::warn!(
                jump_s = jump.num_seconds(),
                "the database's clock and this machine's no longer agree: one of them jumped by so many seconds; ages are \
                 measured without the jump"
            );
        }
        self.known().tell(answer)
    }

    /// Takes an answer that came so long after the question asked at `asked`. Tells by how much the database's clock
    /// jumped against this machine's since the answer before, where it did.
    fn set(&self, asked: Instant, took: Duration, answer: DateTime<Utc>) -> Option<TimeDelta> {
        let mut known = self.known();
        let (before, answer_before) = known.last.replace((asked, answer))?;
        let Some(by_machine) = asked.checked_duration_since(before) else {
            // Two asked at the same time, and the later answer came first.
            known.last = Some((before, answer_before));
            return None;
        };
        let by_database = answer - answer_before;
        let jump = by_database - TimeDelta::from_std(by_machine).unwrap_or(TimeDelta::MAX);
        let slack = JUMP_MIN + TimeDelta::from_std(took).unwrap_or_default();
        (jump.abs() > slack).then_some(jump)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, KnownTime> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KnownTime {
    /// This time, unless a slightly later one was returned already.
    fn tell(&mut self, time: DateTime<Utc>) -> DateTime<Utc> {
        let later = self.told.filter(|told| *told > time && *told - time < STEP_BACK_MAX);
        *self.told.insert(later.unwrap_or(time))
    }
}

/// By how much two workers' times may differ, milliseconds: each is ahead by as long as the database took to answer.
const APART_MAX_MS: i64 = 1_000;

/// The time at which something is due that is due at once, for all workers, whosever time is ahead.
pub(in crate::store) fn at_once_ms(now: DateTime<Utc>) -> i64 {
    now.timestamp_millis() - APART_MAX_MS
}

/// A span as the database keeps it: whole milliseconds.
pub(in crate::store) fn millis(span: Duration) -> i64 {
    // So that sums of a few of them do not overflow either.
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX / 4).min(i64::MAX / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOOK: Duration = Duration::from_millis(1);

    fn start() -> DateTime<Utc> {
        DateTime::from_timestamp_millis(1_700_000_000_000).expect("a time")
    }

    fn ago(ms: u64) -> Instant {
        Instant::now().checked_sub(Duration::from_millis(ms)).expect("an instant")
    }

    /// The jumps, in seconds, when the database's clock says this after each minute, in seconds from the start.
    fn jumps(answers_s: &[i64]) -> Vec<i64> {
        let (clock, first) = (Clock::default(), ago(3_600_000));
        let mut jumps = Vec::new();
        for (minute, answer_s) in answers_s.iter().enumerate() {
            let asked = first + Duration::from_secs(60 * minute as u64);
            jumps
                .extend(clock.set(asked, TOOK, start() + TimeDelta::seconds(*answer_s)).map(|jump| jump.num_seconds()));
        }
        jumps
    }

    #[test]
    fn an_answer_is_carried_on_for_a_second_and_then_asked_for_again() {
        let clock = Clock::default();
        assert_eq!(clock.carried_on(), None);
        clock.set(ago(500), TOOK, start());
        let carried = clock.carried_on().expect("still good") - start();
        assert!((500..1_000).contains(&carried.num_milliseconds()), "{carried}");
        let clock = Clock::default();
        clock.set(ago(1_000), TOOK, start());
        assert_eq!(clock.carried_on(), None);
    }

    #[test]
    fn an_answer_that_came_faster_than_the_one_before_does_not_set_the_time_back() {
        let clock = Clock::default();
        clock.set(ago(500), TOOK, start());
        let first = clock.carried_on().expect("good");
        clock.set(ago(100), TOOK, start() + TimeDelta::milliseconds(350));
        let second = clock.carried_on().expect("good");
        assert!(second >= first);
        assert_eq!(clock.learn(ago(0), start()), second, "as long as it is behind");
        let set_back = start() - TimeDelta::minutes(1);
        assert_eq!(clock.learn(ago(0), set_back), set_back, "a clock that was set back is followed");
    }

    #[test]
    fn a_database_that_does_not_answer_leaves_the_time_that_it_told_last() {
        let clock = Clock::default();
        assert!((Utc::now() - clock.best_known()).num_seconds() < 5, "no answer yet");
        clock.set(ago(60_000), TOOK, start());
        let passed = (clock.best_known() - start()).num_seconds();
        assert!((60..70).contains(&passed), "{passed}");
    }

    #[test]
    fn a_jump_of_the_databases_clock_is_told() {
        const DAY: i64 = 86_400;
        assert_eq!(jumps(&[0, 60, 120, 180]), [0; 0]);
        assert_eq!(jumps(&[0, 60, 120 + DAY, 180 + DAY]), [DAY], "forward");
        assert_eq!(jumps(&[0, 60, 120 - DAY, 180 - DAY]), [-DAY], "back");
        assert_eq!(jumps(&[0, 65, 121]), [0; 0], "set right by a few seconds");
    }

    #[test]
    fn a_jump_of_this_machines_clock_is_told() {
        let clock = Clock::default();
        clock.set(ago(86_500_000), TOOK, start());
        let jump = clock.set(ago(100_000), TOOK, start() + TimeDelta::seconds(60));
        assert_eq!(jump.map(|jump| jump.num_seconds()), Some(60 - 86_400));
    }

    #[test]
    fn an_answer_that_was_overtaken_changes_nothing() {
        let clock = Clock::default();
        clock.set(ago(1_000), TOOK, start());
        assert_eq!(clock.set(ago(2_000), TOOK, start() - TimeDelta::days(1)), None);
        assert!((clock.best_known() - start()).num_seconds() < 10);
    }
}
