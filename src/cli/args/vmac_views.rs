//! `vmacd list`, `vmacd show` and `vmacd history`.

use std::time::Duration;

use clap::Args;

use super::examples::examples;
use super::parse::number;
use crate::domain::in_force::InForceState;
use crate::domain::{Status, SwitchName};

/// Looking again and again.
#[derive(Debug, Clone, Copy, Args)]
pub struct WatchArgs {
    /// Refresh every N seconds (2) until Ctrl-C; in a pipe or with --json, print only what changed
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, require_equals = true, default_missing_value = "2", value_parser = seconds)]
    pub watch: Option<Duration>,
}

/// `vmacd list`
#[derive(Debug, Args)]
#[command(after_help = examples![
    "vmacd list --status failed                  # newest first",
    "vmacd list --in-force no                    # bound, and guarding nothing",
    "vmacd list --switch sw-a1 --watch=5",
    "vmacd list --server 1042 --json",
])]
pub struct ListArgs {
    /// Only those with this status: pending, active, failed, revoked
    #[arg(long)]
    pub status: Option<Status>,
    /// Only active ones that are in force: yes, no, unknown
    #[arg(long, value_name = "STATE")]
    pub in_force: Option<InForceState>,
    /// Only those on this switch
    #[arg(long)]
    pub switch: Option<SwitchName>,
    /// Only those of this server
    #[arg(long, value_parser = number)]
    pub server: Option<i64>,
    /// Maximum number of rows, newest first [default: all]
    #[arg(long, value_parser = clap::value_parser!(i64).range(1..))]
    pub limit: Option<i64>,
    /// Again and again.
    #[command(flatten)]
    pub watch: WatchArgs,
}

/// `vmacd show`
#[derive(Debug, Args)]
#[command(after_help = examples![
    "vmacd show 10.0.48.6",
    "vmacd show 02:a1:b2:c3:d4:e5 --json",
    "vmacd show 10.0.48.6 --watch        # until Ctrl-C",
])]
pub struct ShowArgs {
    /// An IP address, a MAC or a row's id
    pub what: String,
    /// Again and again.
    #[command(flatten)]
    pub watch: WatchArgs,
}

/// `vmacd history`
#[derive(Debug, Args)]
#[command(after_help = examples![
    "vmacd history 10.0.48.6                              # everybody who ever had it",
    "vmacd history 10.0.48.6 --at 2026-03-01T12:00:00Z    # who had it then",
    "vmacd history 10.0.48.6 --json",
])]
pub struct HistoryArgs {
    /// The IP address
    pub ip: String,
    /// Only who had it at this time (RFC 3339), or at the beginning of this day in UTC
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
}

/// The shortest time between two looks, seconds: the database is shared.
const WATCH_MIN_S: f64 = 0.1;
/// The longest, seconds.
const WATCH_MAX_S: f64 = 86_400.0;

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.trim_end_matches('s').parse().ok();
    let within = seconds.filter(|seconds| (WATCH_MIN_S..=WATCH_MAX_S).contains(seconds));
    within.map(Duration::from_secs_f64).ok_or_else(|| format!("expected seconds, {WATCH_MIN_S} to {WATCH_MAX_S}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_between_two_looks_is_bounded() {
        assert_eq!(seconds("2"), Ok(Duration::from_secs(2)));
        assert_eq!(seconds("0.1s"), Ok(Duration::from_millis(100)));
        for text in ["0", "0.09", "86401", "1e300", "inf", "NaN", "-2", "two"] {
            assert_eq!(seconds(text), Err("expected seconds, 0.1 to 86400".to_owned()), "{text}");
        }
    }
}
