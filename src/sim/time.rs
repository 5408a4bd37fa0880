//! The device's clock, and time in the forms a switch prints.

use chrono::{DateTime, Utc};

/// Milliseconds since the epoch: the clock that is passed into the device.
pub(crate) type Millis = i64;

/// The clock of this machine.
pub(crate) fn now() -> Millis {
    Utc::now().timestamp_millis()
}

/// Whole seconds since the epoch.
pub(crate) fn seconds(at: Millis) -> i64 {
    at.div_euclid(1000)
}

/// `2014-03-24 16:34:32 UTC`.
pub(crate) fn shown(at: Millis) -> String {
    DateTime::from_timestamp_millis(at).unwrap_or_default().format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// `00:04:48`.
pub(crate) fn duration(span: Millis) -> String {
    let seconds = seconds(span.max(0));
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}
