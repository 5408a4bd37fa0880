//! The names of exchanges and queues, and the rungs of the retry ladder. Pure.

use std::time::Duration;

/// The exchange that producers publish to, and the queue of the work, without a namespace.
pub const COMMANDS: &str = "vmac.commands";
/// The exchange that events go to, without a namespace.
pub const EVENTS: &str = "vmac.events";

/// A queue that is consumed from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueKind {
    /// `vmac.commands`
    Commands,
    /// `vmac.dead`
    Dead,
}

/// Deliveries after which a message is given up: it seems to crash whoever takes it.
pub(super) const DELIVERY_LIMIT: i64 = 100;

/// The names within one namespace.
#[derive(Debug, Clone)]
pub(super) struct Topology {
    namespace: String,
    /// The delays of the ladder, milliseconds, growing.
    pub rungs_ms: Vec<u64>,
}

impl Topology {
    /// The ladder doubles from the shortest delay up to the longest.
    pub fn new(namespace: &str, delay_min: Duration, delay_max: Duration) -> Self {
        let ms = |delay: Duration| u64::try_from(delay.as_millis()).unwrap_or(u64::MAX).max(1);
        let (min_ms, max_ms) = (ms(delay_min), ms(delay_max).max(ms(delay_min)));
        let doubling = std::iter::successors(Some(min_ms), |delay| delay.checked_mul(2));
        let mut rungs_ms: Vec<u64> = doubling.take_while(|delay| *delay < max_ms).collect();
        rungs_ms.push(max_ms);
        Self { namespace: namespace.to_owned(), rungs_ms }
    }

    /// The exchange that producers publish to.
    pub fn commands(&self) -> String {
        format!("{}{COMMANDS}", self.namespace)
    }

    /// The exchange that events go to.
    pub fn events(&self) -> String {
        format!("{}{EVENTS}", self.namespace)
    }

    /// Exchange and queue of the dead letters.
    pub fn dead(&self) -> String {
        format!("{}vmac.dead", self.namespace)
    }

    /// Exchange and queue of a rung.
    pub fn retry(&self, delay_ms: u64) -> String {
        format!("{}vmac.retry.{delay_ms}", self.namespace)
    }

    /// The queue of that kind.
    pub fn queue(&self, kind: QueueKind) -> String {
        match kind {
            QueueKind::Commands => self.commands(),
            QueueKind::Dead => self.dead(),
        }
    }

    /// Every queue.
    pub fn queues(&self) -> Vec<String> {
        let rungs = self.rungs_ms.iter().map(|delay_ms| self.retry(*delay_ms));
        [self.commands(), self.dead()].into_iter().chain(rungs).collect()
    }

    /// The rung nearest above the delay; the highest for longer ones.
    pub fn rung_ms(&self, delay: Duration) -> u64 {
        let wanted_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        let above = self.rungs_ms.iter().find(|rung| **rung >= wanted_ms).or(self.rungs_ms.last());
        above.copied().unwrap_or(wanted_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ladder_doubles_and_ends_at_the_longest_delay() {
        let topology = Topology::new("t.", Duration::from_secs(1), Duration::from_secs(900));
        assert_eq!(topology.rungs_ms.first(), Some(&1_000));
        assert_eq!(topology.rungs_ms.last(), Some(&900_000));
        assert_eq!(topology.rungs_ms.len(), 11);
        assert_eq!(topology.rung_ms(Duration::from_millis(1_500)), 2_000);
        assert_eq!(topology.rung_ms(Duration::from_secs(9_999)), 900_000);
        assert_eq!(topology.retry(1_000), "t.vmac.retry.1000");
    }

    #[test]
    fn one_delay_is_one_rung() {
        let topology = Topology::new("", Duration::from_millis(50), Duration::from_millis(50));
        assert_eq!(topology.rungs_ms, [50]);
    }
}
