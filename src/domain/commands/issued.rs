//! When a command was issued, and with it its place in the order of commands (decision 0022).

use chrono::DateTime;

use crate::domain::Action;

/// Numbers up to this are seconds since 1970 (until the year 5138), those above are milliseconds (since 1973).
const SECONDS_MAX: i64 = 100_000_000_000;
/// The last millisecond of the year 9999: a greater number is microseconds, or no time.
pub const MS_MAX: i64 = 253_402_300_799_999;
/// Times of the same nanosecond are apart by what they ask for, in so many steps.
const STEPS_OF_A_NANOSECOND: i64 = 8;

/// When a command was issued, as exactly as its message says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Issued {
    /// At this time: milliseconds since 1970, and nanoseconds beyond them.
    At {
        /// Milliseconds since 1970 UTC.
        ms: i64,
        /// Nanoseconds within the millisecond.
        nanos: u32,
    },
    /// Some time from the one to the other, both milliseconds since 1970 UTC and included. Within it, the order of
    /// arrival decides.
    Within {
        /// The first millisecond that it may have been.
        from_ms: i64,
        /// The last one.
        until_ms: i64,
    },
    /// The message does not say: when it first arrived, and so after everything that arrived before it.
    Unsaid,
}

/// That something is not a time since 1970, in the form of RFC 3339 or as a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IssuedError {
    /// Not of that form.
    #[error(
        "is not an RFC 3339 time such as 2026-11-21T10:00:00.000Z, nor a whole number of seconds or milliseconds since 1970"
    )]
    Form,
    /// Too early.
    #[error("is before 1970")]
    Before1970,
    /// Too late.
    #[error("is after the year 9999")]
    After9999,
}

/// A command's place in time: the milliseconds since 1970, and what comes first within the millisecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment {
    /// Milliseconds since 1970 UTC.
    pub ms: i64,
    /// Within the millisecond: 0 where only the order of arrival decides. Of exact times the nanoseconds, and, where they
    /// are equal too, a create is before a rotation, a move and a revoke.
    pub rank: i64,
}

/// A command's place in the order of all commands for an address: by time, and by arrival where the time does not decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// In time.
    pub moment: Moment,
    /// In the order of arrival.
    pub arrival: i64,
}

/// How a message arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// Its number: the later message has the greater one.
    pub number: i64,
    /// It keeps the number of an earlier arrival, so that others may have overtaken it since.
    pub is_kept: bool,
}

impl Issued {
    /// A time of which only the second is known, seconds since 1970.
    pub const fn second(seconds: i64) -> Self {
        Self::Within { from_ms: seconds * 1000, until_ms: seconds * 1000 + 999 }
    }

    /// A time that was stamped on the message on its way, milliseconds since 1970: whoever stamps many messages in one
    /// millisecond says nothing about their order, but sends them on in it.
    pub const fn stamped(ms: i64) -> Self {
        Self::Within { from_ms: ms, until_ms: ms }
    }

    /// A number that is a time: seconds since 1970, or milliseconds where it is above 10^11. 0 and less say nothing.
    pub const fn of_number(number: i64) -> Option<Self> {
        match number {
            ..=0 => None,
            1..=SECONDS_MAX => Some(Self::second(number)),
            ms => Some(Self::At { ms, nanos: 0 }),
        }
    }

    /// A number in a field of a message: 0 means that no time is given, and a number that is no time is an error.
    ///
    /// # Errors
    /// [`IssuedError`].
    pub const fn of_field(number: i64) -> Result<Option<Self>, IssuedError> {
        match number {
            ..0 => Err(IssuedError::Before1970),
            0..=MS_MAX => Ok(Self::of_number(number)),
            _ => Err(IssuedError::After9999),
        }
    }

    /// A time as RFC 3339 writes it; one without a fraction is known to the second.
    ///
    /// # Errors
    /// [`IssuedError`].
    pub fn of_text(text: &str) -> Result<Self, IssuedError> {
        let time = DateTime::parse_from_rfc3339(text).map_err(|_| IssuedError::Form)?;
        match time.timestamp_millis() {
            before if before < 0 => Err(IssuedError::Before1970),
            _ if !text.contains('.') => Ok(Self::second(time.timestamp())),
            ms => Ok(Self::At { ms, nanos: time.timestamp_subsec_nanos() % 1_000_000 }),
        }
    }

    /// The earliest that it may have been, milliseconds since 1970, if the message says anything.
    pub const fn earliest_ms(&self) -> Option<i64> {
        match self {
            Self::At { ms, .. } | Self::Within { from_ms: ms, .. } => Some(*ms),
            Self::Unsaid => None,
        }
    }

    /// The place of a command that arrives now, where `last` has the last place of all that came before it.
    ///
    /// What leaves time open is newer than all that arrived before it and overlaps it. With that it has one place in one
    /// order of all commands; comparing pairs by arrival wherever times overlap would go round in circles.
    pub fn position(self, action: Action, arrival: Arrival, last: Option<Position>, now_ms: i64) -> Position {
        let number = match last {
            Some(last) if !arrival.is_kept => arrival.number.max(last.arrival.saturating_add(1)),
            _ => arrival.number,
        };
        let before = last.filter(|last| last.arrival < number).map(|last| last.moment);
        let (from_ms, until_ms) = match self {
            Self::At { ms, nanos } => {
                let rank = i64::from(nanos) * STEPS_OF_A_NANOSECOND + 1 + action.precedence();
                return Position { moment: Moment { ms, rank }, arrival: number };
            }
            Self::Within { from_ms, until_ms } => (from_ms, until_ms),
            Self::Unsaid => (now_ms, i64::MAX),
        };
        let (earliest, latest) = (Moment { ms: from_ms, rank: 0 }, Moment { ms: until_ms, rank: i64::MAX });
        let moment = before.map_or(earliest, |before| before.clamp(earliest, latest));
        Position { moment, arrival: number }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use Action::{Create, Revoke};

    /// A command: its time and what it asks for.
    type IssuedAction = (Issued, Action);

    const fn at(ms: i64) -> Issued {
        Issued::At { ms, nanos: 0 }
    }

    /// The positions of commands that arrive one after another, the clock standing at `now_ms`.
    fn positions(commands: &[IssuedAction], now_ms: i64) -> Vec<Position> {
        let mut last = None;
        let arrive = |(number, (issued, action)): (i64, &IssuedAction)| {
            let position = issued.position(*action, Arrival { number, is_kept: false }, last, now_ms);
            last = last.max(Some(position));
            position
        };
        (1..).zip(commands).map(arrive).collect()
    }

    /// The number of the newest of commands that arrive one after another.
    fn newest(commands: &[IssuedAction]) -> usize {
        let positions = positions(commands, 20_000);
        (0..commands.len()).max_by_key(|number| positions[*number]).expect("a command")
    }

    #[test]
    fn the_newest_is_the_right_one() {
        let (coarse, none) = (Issued::second(10), Issued::Unsaid);
        let table: &[(&[IssuedAction], usize, &str)] = &[
            (&[(none, Revoke), (none, Create)], 1, "by arrival without times"),
            (&[(none, Create), (none, Revoke)], 1, "by arrival without times"),
            (&[(coarse, Revoke), (coarse, Create)], 1, "by arrival within a second"),
            (&[(coarse, Create), (Issued::second(9), Revoke)], 0, "the second decides first"),
            (&[(at(10_600), Revoke), (at(10_500), Create)], 0, "exact times decide"),
            (&[(at(10_500), Create), (at(10_600), Revoke)], 1, "exact times decide"),
            (&[(at(10_500), Revoke), (at(10_500), Create)], 0, "a revoke wins equal times"),
            (&[(at(10_500), Create), (at(10_500), Revoke)], 1, "a revoke wins equal times"),
            (&[(Issued::At { ms: 10_500, nanos: 1 }, Create), (at(10_500), Revoke)], 0, "a nanosecond is not equal"),
            (&[(at(10_999), Revoke), (coarse, Create)], 1, "by arrival where the second overlaps"),
            (&[(coarse, Revoke), (at(10_000), Create)], 1, "by arrival where the second overlaps"),
            (&[(at(11_000), Revoke), (coarse, Create)], 0, "the second is over"),
            (&[(coarse, Revoke), (at(9_999), Create)], 0, "the second had not begun"),
            (&[(at(19_000), Revoke), (none, Create)], 1, "it arrived after the other was issued"),
            (&[(at(21_000), Revoke), (none, Create)], 1, "the other's clock is ahead, and it came first"),
            (&[(none, Revoke), (at(19_999), Create)], 0, "issued before the other arrived"),
            (&[(none, Revoke), (coarse, Create)], 0, "issued before the other arrived"),
            (&[(none, Revoke), (at(20_001), Create)], 1, "issued after the other arrived"),
            (&[(Issued::stamped(10_500), Revoke), (Issued::stamped(10_500), Create)], 1, "stamped on the way"),
            (&[(at(10_600), Create), (coarse, Revoke), (at(10_500), Create)], 1, "the second goes on at 10.600"),
            (&[(at(19_000), Create), (coarse, Revoke), (at(10_500), Create)], 0, "the second is over"),
            (&[(at(10_600), Create), (coarse, Revoke), (at(10_601), Create)], 2, "the second goes on at 10.600"),
            (&[(at(10_500), Create), (coarse, Create), (at(10_500), Revoke)], 2, "equal to the first, and last"),
            (&[(at(10_500), Revoke), (coarse, Revoke), (at(10_500), Create)], 1, "equal to the first, and no revoke"),
        ];
        for (commands, expected, why) in table {
            assert_eq!(newest(commands), *expected, "{why}: {commands:?}");
        }
    }

    #[test]
    fn what_keeps_its_arrival_is_not_newer_for_coming_late() {
        let last = Issued::Unsaid.position(Create, Arrival { number: 9, is_kept: false }, None, 20_000);
        for issued in [Issued::Unsaid, Issued::stamped(20_000), Issued::second(20)] {
            let late = issued.position(Revoke, Arrival { number: 5, is_kept: true }, Some(last), 20_000);
            assert!(late < last, "{issued:?}");
        }
        // Its number is behind because the clock was set back: it arrived after the other all the same.
        let set_back = Issued::Unsaid.position(Revoke, Arrival { number: 5, is_kept: false }, Some(last), 10_000);
        assert!(set_back > last);
    }

    #[test]
    fn numbers_are_seconds_or_milliseconds_and_nothing_says_nothing() {
        assert_eq!(Issued::of_number(0), None);
        assert_eq!(Issued::of_number(-5), None);
        let second = Issued::Within { from_ms: 1_795_255_200_000, until_ms: 1_795_255_200_999 };
        assert_eq!(Issued::of_number(1_795_255_200), Some(second));
        assert_eq!(Issued::of_number(1_795_255_200_250), Some(at(1_795_255_200_250)));
        assert!(Issued::of_number(i64::MAX).is_some());
    }

    #[test]
    fn a_text_without_a_fraction_is_known_to_the_second() {
        let second = Issued::second(1_795_255_200);
        assert_eq!(Issued::of_text("2026-11-21T10:00:00Z"), Ok(second));
        assert_eq!(Issued::of_text("2026-11-21T11:00:00+01:00"), Ok(second));
        assert_eq!(Issued::of_text("2026-11-21T10:00:00.000Z"), Ok(at(1_795_255_200_000)));
        let finer = Issued::At { ms: 1_795_255_200_250, nanos: 1_000 };
        assert_eq!(Issued::of_text("2026-11-21T10:00:00.250001Z"), Ok(finer));
        assert_eq!(Issued::of_text("1969-11-21T10:00:00Z"), Err(IssuedError::Before1970));
        assert_eq!(Issued::of_text("yesterday"), Err(IssuedError::Form));
    }

    fn commands() -> impl Strategy<Value = Vec<IssuedAction>> {
        let issued = prop_oneof![
            (0..4_000_i64).prop_map(|ms| at(ms / 250 * 250)),
            (0..4_i64).prop_map(Issued::second),
            (0..16_i64).prop_map(|quarter| Issued::stamped(quarter * 250)),
            Just(Issued::Unsaid),
        ];
        prop::collection::vec((issued, prop::sample::select(vec![Create, Revoke])), 1..9)
    }

    proptest! {
        #[test]
        fn every_command_has_a_place_that_its_own_time_allows(commands in commands(), now_ms in 0..5_000_i64) {
            let positions = positions(&commands, now_ms);
            for ((issued, _), position) in commands.iter().zip(&positions) {
                let ms = position.moment.ms;
                match *issued {
                    Issued::At { ms: said_ms, .. } => prop_assert_eq!(ms, said_ms),
                    Issued::Within { from_ms, until_ms } => prop_assert!((from_ms..=until_ms).contains(&ms)),
                    Issued::Unsaid => prop_assert!(ms >= now_ms),
                }
            }
        }

        #[test]
        fn exact_times_decide_whatever_the_order_of_arrival(commands in commands(), now_ms in 0..5_000_i64) {
            let positions = positions(&commands, now_ms);
            for (this, place) in commands.iter().zip(&positions) {
                for (that, other) in commands.iter().zip(&positions) {
                    if let (Issued::At { ms, .. }, Issued::At { ms: other_ms, .. }) = (this.0, that.0)
                        && (ms, this.1) < (other_ms, that.1)
                    {
                        prop_assert!(place < other, "{:?} {:?}", this, that);
                    }
                }
            }
        }

        #[test]
        fn what_leaves_time_open_is_newer_than_what_arrived_before_it_and_overlaps(commands in commands(), now_ms in 0..5_000_i64) {
            let positions = positions(&commands, now_ms);
            for later in 1..commands.len() {
                let until_ms = match commands[later].0 {
                    Issued::At { .. } => continue,
                    Issued::Within { until_ms, .. } => until_ms,
                    Issued::Unsaid => i64::MAX,
                };
                for earlier in (0..later).filter(|earlier| positions[*earlier].moment.ms <= until_ms) {
                    prop_assert!(positions[earlier] < positions[later], "{:?}", commands);
                }
            }
        }
    }
}
