//! Times as options take them: RFC 3339, or a span from now.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::args::duration;
use super::fault::Fault;
use super::terminal::escape::printable;

/// A time, or a span from now on; `option` is what the person typed it for.
pub fn time_ahead(option: &str, text: &str, now: DateTime<Utc>) -> Result<DateTime<Utc>, Fault> {
    time(option, text, |span| now + span)
}

/// A time, or how long ago.
pub fn time_ago(option: &str, text: &str, now: DateTime<Utc>) -> Result<DateTime<Utc>, Fault> {
    time(option, text, |span| now - span)
}

fn time(option: &str, text: &str, of_span: impl Fn(Duration) -> DateTime<Utc>) -> Result<DateTime<Utc>, Fault> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.to_utc());
    }
    let wrong = |error| Fault::input(format!("{option}: `{}` is not an RFC 3339 time; {error}", printable(text)));
    duration(text).map(of_span).map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_a_span_or_a_time() {
        let now = DateTime::from_timestamp(1_000, 0).expect("a time");
        let until = |text| time_ahead("--until", text, now);
        assert_eq!(until("2h").expect("a time").timestamp(), 8_200);
        assert_eq!(until("1970-01-01T01:00:00+00:30").expect("a time").timestamp(), 1_800);
        for text in ["tomorrow", "2", "2026-11-22", "9999999999999y", "11y", "18446744073709551615s"] {
            assert!(until(text).expect_err("refused").text().contains("--until"), "{text}");
        }
    }

    #[test]
    fn the_beginning_is_a_time_or_a_span_before_now() {
        let now = DateTime::from_timestamp(10_000, 0).expect("a time");
        let since = |text| time_ago("--since", text, now);
        assert_eq!(since("2h").expect("a time").timestamp(), 2_800);
        assert_eq!(since("1970-01-01T01:00:00Z").expect("a time").timestamp(), 3_600);
        for text in ["yesterday", "2", "11y"] {
            assert!(since(text).expect_err("refused").text().contains("--since"), "{text}");
        }
    }
}
