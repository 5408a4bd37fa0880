//! Values of the command line: numbers and time spans.

use std::time::Duration;

/// The longest time span of the command line.
const SPAN_MAX: Duration = Duration::from_secs(3_660 * 86_400);

/// A time span such as `2h`, at most ten years: so much can be added to any time.
pub fn duration(text: &str) -> Result<Duration, String> {
    let span = humantime::parse_duration(text).ok().filter(|span| *span <= SPAN_MAX);
    span.ok_or_else(|| "expected a time span of at most 10 years, such as 90s or 2h".to_owned())
}

/// A number such as a server's or a row's.
pub fn number(text: &str) -> Result<i64, String> {
    text.trim().parse().map_err(|_| "expected a number".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_spans_have_an_upper_bound() {
        for text in ["0s", "90s", "2h 30m", "10y"] {
            assert!(duration(text).is_ok(), "{text}");
        }
        for text in ["", "2", "-1s", "11y", "1000000y", "18446744073709551615s", "99999999999999999999s"] {
            let error = duration(text).expect_err(text);
            assert!(error.contains("10 years"), "{text}: {error}");
        }
    }
}
