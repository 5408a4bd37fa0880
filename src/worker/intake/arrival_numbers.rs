//! The order in which messages arrive: each that comes for the first time gets a number.

use std::sync::atomic::{AtomicI64, Ordering};

use crate::domain::Arrival;

/// Counts messages in the order in which the queue hands them out. The numbers are microseconds since 1970 and each is
/// greater than the one before, so that they go on growing over a restart and are alike in every worker.
#[derive(Debug, Default)]
pub(in crate::worker) struct ArrivalNumbers(AtomicI64);

impl ArrivalNumbers {
    /// The number of a message that carries that of an earlier arrival, or none.
    ///
    /// Anybody can set such a header: it never makes a message newer than one that arrives now.
    pub fn next(&self, carried: Option<i64>, now_ms: i64) -> Arrival {
        let next = |last: i64| now_ms.saturating_mul(1000).max(last.saturating_add(1));
        let before = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(next(last)));
        let number = next(before.unwrap_or_else(|last| last));
        match carried {
            Some(carried) => Arrival { number: carried.min(number), is_kept: true },
            None => Arrival { number, is_kept: false },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_grow_whatever_the_clock_does_and_an_earlier_arrival_keeps_its_own() {
        let arrival_numbers = ArrivalNumbers::default();
        let numbers = [5, 5, 9, 7, 9].map(|now_ms| arrival_numbers.next(None, now_ms).number);
        assert_eq!(numbers, [5_000, 5_001, 9_000, 9_001, 9_002]);
        assert_eq!(arrival_numbers.next(Some(5_001), 10), Arrival { number: 5_001, is_kept: true });
        assert_eq!(arrival_numbers.next(Some(i64::MAX), 11), Arrival { number: 11_000, is_kept: true }, "forged");
    }
}
