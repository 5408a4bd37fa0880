//! Progress of long work, on a terminal only: nothing if stderr is piped or the output is JSON.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::output::Output;

/// Number of items from which a bar is shown.
const WORTH_A_BAR: usize = 100;
/// Time between two steps of a spinner.
const TICK: Duration = Duration::from_millis(120);

/// A bar or a spinner on stderr, gone once it is dropped.
pub struct Progress(ProgressBar);

impl Progress {
    /// A bar over so many things.
    pub fn new(output: Output, what: &'static str, total: usize) -> Self {
        let target = if total < WORTH_A_BAR { ProgressDrawTarget::hidden() } else { target(output) };
        let bar = ProgressBar::with_draw_target(Some(total as u64), target).with_message(what);
        if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} ({eta} left)") {
            bar.set_style(style);
        }
        Self(bar)
    }

    /// A spinner for something whose length is not known.
    pub fn spinner(output: Output, what: String) -> Self {
        let bar = ProgressBar::with_draw_target(None, target(output)).with_message(what);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(TICK);
        Self(bar)
    }

    /// True where a spinner is seen.
    pub fn can_spin() -> bool {
        std::io::stderr().is_terminal()
    }

    /// Says something else beside the spinner.
    pub fn say(&self, what: String) {
        self.0.set_message(what);
    }

    /// So many are done.
    pub fn at(&self, done: usize) {
        self.0.set_position(done as u64);
    }

    /// Takes it off the screen.
    pub fn done(self) {
        self.0.finish_and_clear();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// The terminal behind stderr; indicatif itself draws nothing where there is none.
fn target(output: Output) -> ProgressDrawTarget {
    if output.json { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() }
}
