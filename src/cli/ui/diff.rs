//! Differences of configurations, with colours.

use super::style::{Page, Tone};

/// Writes a unified diff, or one that a switch printed.
pub fn write_diff(page: &mut Page, diff: &str) {
    page.lines(diff, |line| match line.chars().next() {
        Some('+') => Tone::Good,
        Some('-') => Tone::Bad,
        Some('[' | '@') => Tone::Title,
        _ => Tone::Plain,
    });
}
