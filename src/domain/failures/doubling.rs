//! How long to wait before something is tried again that fails in a row.

use std::time::Duration;

/// The longest wait.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// Waits that double, up to five seconds.
#[derive(Debug, Clone, Copy)]
pub struct Backoff {
    next: Duration,
}

impl Backoff {
    /// Begins with this wait.
    pub const fn new(shortest: Duration) -> Self {
        Self { next: shortest }
    }

    /// The wait before the next try.
    pub fn next_wait(&mut self) -> Duration {
        let wait = self.next;
        self.next = (wait * 2).min(WAIT_MAX);
        wait
    }
}

impl Default for Backoff {
    /// Begins with 50 ms: most of what fails, such as a connection that was cut, works again at once.
    fn default() -> Self {
        Self::new(Duration::from_millis(50))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_up_to_five_seconds() {
        let mut backoff = Backoff::new(Duration::from_millis(100));
        let waits: Vec<_> = (0..9).map(|_| backoff.next_wait().as_millis()).collect();
        assert_eq!(waits, [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000, 5_000]);
    }
}
