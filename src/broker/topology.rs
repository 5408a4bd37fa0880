//! The names of exchanges and queues. Pure.

use std::time::Duration;

/// The exchange that producers publish to, and the queue of the work, without a namespace.
pub const COMMANDS: &str = "vmac.commands";
/// The exchange that events go to, without a namespace.
pub const EVENTS: &str = "vmac.events";

/// The stream that keeps every command, without a namespace.
const ARCHIVE: &str = "vmac.archive";

/// A queue that is consumed from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueKind {
    /// `vmac.commands`
    Commands,
    /// `vmac.dead`
    Dead,
}

/// Deliveries after which a command goes to the dead letters: it seems to crash whoever receives it.
pub(super) const DELIVERY_LIMIT: i64 = 100;

/// The delays of the earlier version's retry queues unless its settings said otherwise.
const FORMER_DELAYS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(900));

/// The names within one namespace.
#[derive(Debug, Clone)]
pub(super) struct Topology {
    namespace: String,
    former_delays: (Duration, Duration),
}

impl Topology {
    /// `former_delays`: the shortest and the longest delay of the earlier version's retry queues, as its settings had them.
    pub fn new(namespace: &str, former_delays: (Duration, Duration)) -> Self {
        Self { namespace: namespace.to_owned(), former_delays }
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

    /// The stream that keeps every command.
    pub fn archive(&self) -> String {
        format!("{}{ARCHIVE}", self.namespace)
    }

    /// The queue of that kind; its exchange has the same name.
    pub fn queue(&self, kind: QueueKind) -> String {
        match kind {
            QueueKind::Commands => self.commands(),
            QueueKind::Dead => self.dead(),
        }
    }

    /// The queue that receives messages while that of the earlier version is replaced.
    pub fn moving(&self, kind: QueueKind) -> String {
        format!("{}.moving", self.queue(kind))
    }

    /// The queue whose owner is the one that replaces it.
    pub fn mover(&self, kind: QueueKind) -> String {
        format!("{}.mover", self.queue(kind))
    }

    /// What the earlier version's retry queues and their exchanges may be called.
    pub fn former_retries(&self) -> Vec<String> {
        let mut delays_ms: Vec<u64> = ladder_ms(FORMER_DELAYS).chain(ladder_ms(self.former_delays)).collect();
        delays_ms.sort_unstable();
        delays_ms.dedup();
        delays_ms.into_iter().map(|delay_ms| format!("{}vmac.retry.{delay_ms}", self.namespace)).collect()
    }
}

/// The delays double from the shortest up to the longest.
fn ladder_ms((shortest, longest): (Duration, Duration)) -> impl Iterator<Item = u64> {
    let ms = |delay: Duration| u64::try_from(delay.as_millis()).unwrap_or(u64::MAX).max(1);
    let (shortest_ms, longest_ms) = (ms(shortest), ms(longest).max(ms(shortest)));
    let doubling = std::iter::successors(Some(shortest_ms), |delay| delay.checked_mul(2));
    doubling.take_while(move |delay| *delay < longest_ms).chain([longest_ms])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_former_delays_doubled_and_ended_at_the_longest() {
        let ladder: Vec<u64> = ladder_ms(FORMER_DELAYS).collect();
        assert_eq!((ladder.len(), ladder[0], ladder[9], ladder[10]), (11, 1_000, 512_000, 900_000));
        assert!(ladder_ms((Duration::from_millis(50), Duration::from_millis(50))).eq([50]));
    }

    #[test]
    fn retry_queues_of_the_defaults_and_of_the_settings_are_known() {
        let topology = Topology::new("t.", (Duration::from_millis(500), Duration::from_secs(2)));
        let retries = topology.former_retries();
        assert_eq!((retries.len(), retries[0].as_str()), (12, "t.vmac.retry.500"));
        assert!(retries.contains(&"t.vmac.retry.900000".to_owned()));
    }
}
