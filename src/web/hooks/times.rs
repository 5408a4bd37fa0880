//! Times as other systems write them. Pure.

use chrono::{DateTime, FixedOffset, NaiveDateTime, SecondsFormat, Utc};

use crate::domain::Issued;

/// Greatest number that is a time in milliseconds, of the year 5138; what is above counts something finer.
const MILLISECONDS_MAX: i64 = 100_000_000_000_000;

/// Why a text is not a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum TimeError {
    /// None of the forms.
    #[error(
        "is not a time: expected such as 2026-11-21T10:00:00Z, 2026-11-21 11:00:00+0100, or seconds or milliseconds since 1970"
    )]
    Form,
    /// A number that is too great.
    #[error("is neither seconds nor milliseconds since 1970")]
    Number,
    /// A date and time that leaves open where.
    #[error("has no time zone: have the sender write one, or set `time_zone` of the hook")]
    NoZone,
}

/// The time in the form of RFC 3339, with a fraction where the text has one: without it only the second is known. Numbers
/// are seconds since 1970 with or without a fraction, or milliseconds above 10^11. `zone` is that of times which name none.
pub(super) fn rfc3339(text: &str, zone: Option<FixedOffset>) -> Result<String, TimeError> {
    let text = text.trim();
    let (time, digits) = match number(text) {
        Some(time) => time?,
        None => written(text, zone)?,
    };
    let format = match digits {
        0 => SecondsFormat::Secs,
        1..=3 => SecondsFormat::Millis,
        _ => SecondsFormat::Nanos,
    };
    Ok(time.to_rfc3339_opts(format, true))
}

/// The same, milliseconds since 1970.
pub(super) fn since_1970_ms(text: &str, zone: Option<FixedOffset>) -> Result<i64, TimeError> {
    let time = DateTime::parse_from_rfc3339(&rfc3339(text, zone)?).map_err(|_| TimeError::Form)?;
    Ok(time.timestamp_millis())
}

/// True for a text that means no time, as databases and panels write it.
pub(super) fn is_none(text: &str) -> bool {
    text.is_empty() || text == "0" || text.starts_with("0000-00-00")
}

/// A time and how many digits its fraction has.
type Told = (DateTime<Utc>, usize);

/// A number as a time; none where the text is no number.
fn number(text: &str) -> Option<Result<Told, TimeError>> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    (!whole.is_empty() && is_digits(whole) && is_digits(fraction)).then(|| {
        let whole = whole.parse().ok().filter(|whole| *whole <= MILLISECONDS_MAX).ok_or(TimeError::Number)?;
        let time = match Issued::of_number(whole) {
            Some(Issued::At { ms, .. }) => DateTime::from_timestamp_millis(ms).map(|time| (time, 3)),
            _ => DateTime::from_timestamp(whole, nanos(fraction)).map(|time| (time, fraction.len())),
        };
        time.ok_or(TimeError::Number)
    })
}

/// Digits of a fraction as nanoseconds; what is finer is left out.
fn nanos(fraction: &str) -> u32 {
    format!("{fraction:0<9}").get(..9).and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

/// A date and time in words and digits.
fn written(text: &str, zone: Option<FixedOffset>) -> Result<Told, TimeError> {
    // `Sat, 21 Nov 2026 10:00:00 GMT`: RFC 2822, and HTTP's dates.
    if text.starts_with(|first: char| first.is_ascii_alphabetic()) {
        let time = DateTime::parse_from_rfc2822(text).map_err(|_| TimeError::Form)?;
        return Ok((time.to_utc(), 0));
    }
    let (date, rest) = text.split_at_checked(10).ok_or(TimeError::Form)?;
    let clock = rest.strip_prefix(['T', 't', ' ', '_']).ok_or(TimeError::Form)?.trim_start();
    let end = clock.find(|symbol: char| !matches!(symbol, '0'..='9' | ':' | '.' | ',')).unwrap_or(clock.len());
    let (clock, place) = clock.split_at(end);
    let clock = clock.replace(',', ".");
    let local = NaiveDateTime::parse_from_str(&format!("{date} {clock}"), "%Y-%m-%d %H:%M:%S%.f");
    let local = local.map_err(|_| TimeError::Form)?;
    let offset = offset(place.trim(), zone)?;
    let time = local.and_local_timezone(offset).single().ok_or(TimeError::Form)?;
    Ok((time.to_utc(), clock.split_once('.').map_or(0, |(_, fraction)| fraction.len())))
}

/// What is behind a time: `Z`, `UTC`, `GMT`, `+01:00`, `+0100`, `+01`.
fn offset(place: &str, zone: Option<FixedOffset>) -> Result<FixedOffset, TimeError> {
    match place.to_ascii_uppercase().as_str() {
        "" => zone.ok_or(TimeError::NoZone),
        "Z" | "UTC" | "GMT" => FixedOffset::east_opt(0).ok_or(TimeError::Form),
        hours if hours.len() == 3 => format!("{hours}00").parse().map_err(|_| TimeError::Form),
        offset => offset.parse().map_err(|_| TimeError::Form),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_time_is_read_in_every_form_that_names_its_zone() {
        for (text, expected) in [
            ("2026-11-21T10:00:00Z", "2026-11-21T10:00:00Z"),
            ("2026-11-21t10:00:00z", "2026-11-21T10:00:00Z"),
            ("2026-11-21T11:00:00+01:00", "2026-11-21T10:00:00Z"),
            ("2026-11-21T11:00:00+0100", "2026-11-21T10:00:00Z"),
            ("2026-11-21T11:00:00+01", "2026-11-21T10:00:00Z"),
            ("2026-11-21T04:30:00-0530", "2026-11-21T10:00:00Z"),
            ("2026-11-21 10:00:00.864187+00:00", "2026-11-21T10:00:00.864187000Z"),
            ("2026-11-21 10:00:00 UTC", "2026-11-21T10:00:00Z"),
            ("2026-11-21 11:00:00 +0100", "2026-11-21T10:00:00Z"),
            ("2026-11-21T10:00:00,250Z", "2026-11-21T10:00:00.250Z"),
            ("2026-11-21T10:00:00.000Z", "2026-11-21T10:00:00.000Z"),
            ("Sat, 21 Nov 2026 11:00:00 +0100", "2026-11-21T10:00:00Z"),
            ("Sat, 21 Nov 2026 10:00:00 GMT", "2026-11-21T10:00:00Z"),
            ("1795255200", "2026-11-21T10:00:00Z"),
            ("1795255200.0", "2026-11-21T10:00:00.000Z"),
            ("1795255200.25", "2026-11-21T10:00:00.250Z"),
            ("1795255200.2509", "2026-11-21T10:00:00.250900000Z"),
            ("1795255200250", "2026-11-21T10:00:00.250Z"),
            (" 1795255200 ", "2026-11-21T10:00:00Z"),
        ] {
            assert_eq!(rfc3339(text, None).as_deref(), Ok(expected), "{text}");
            assert!(Issued::of_text(expected).is_ok(), "{expected}");
        }
        assert_eq!(since_1970_ms("1795255200.25", None), Ok(1_795_255_200_250));
    }

    #[test]
    fn a_time_without_a_zone_has_that_of_the_settings_or_is_refused() {
        let zone = FixedOffset::east_opt(3_600);
        for text in ["2026-11-21 11:00:00", "2026-11-21T11:00:00.123456"] {
            assert_eq!(rfc3339(text, None), Err(TimeError::NoZone), "{text}");
            assert!(rfc3339(text, zone).is_ok_and(|time| time.starts_with("2026-11-21T10:00:00")), "{text}");
        }
        assert_eq!(rfc3339("2026-11-21 10:00:00Z", zone).as_deref(), Ok("2026-11-21T10:00:00Z"), "its own zone counts");
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "yesterday",
            "-1",
            "1e9",
            "2026-11-21",
            "2026-11-21T10:00",
            "2026-13-21T10:00:00Z",
            "21.11.2026 10:00:00",
        ] {
            assert_eq!(rfc3339(text, None), Err(TimeError::Form), "{text}");
        }
        for text in
            ["2026-11-21T10:00:00CET", "2026-11-21T10:00:00+", "2026-11-21T10:00:00+1:00", "2026-11-21ü10:00:00Z"]
        {
            assert_eq!(rfc3339(text, None), Err(TimeError::Form), "{text}");
        }
        for text in ["1795255200000000", "99999999999999999999"] {
            assert_eq!(rfc3339(text, None), Err(TimeError::Number), "{text}");
        }
        assert!(is_none("0") && is_none("") && is_none("0000-00-00 00:00:00") && !is_none("2026-11-21"));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in ".{0,40}", seconds in any::<u64>()) {
            let _ = rfc3339(&text, FixedOffset::east_opt(0));
            let _ = rfc3339(&format!("{seconds}.{seconds}"), None);
        }
    }
}
