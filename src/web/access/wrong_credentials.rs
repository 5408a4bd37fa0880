//! Wrong tokens and signatures: slowed down by the address that they come from, counted, and told in the log.
//!
//! An address may be wrong ten times; after that it is answered once a second, and whoever waits behind others at most ten
//! seconds. A right token never waits, so nobody behind the same proxy is locked out by somebody else's guesses.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::metrics::Metrics;
use crate::web::server::client_address::Peer;
use crate::web::server::connections::Turn;

/// Time between two answers to wrong ones of one address.
const EVERY: Duration = Duration::from_secs(1);
/// How many are answered at once before that.
const FREE: u32 = 10;
/// Longest wait for an answer.
const WAIT_MAX: Duration = Duration::from_secs(10);
/// Addresses kept apart; all others are one.
const PEERS_MAX: usize = 4_096;
/// Time between two lines of the log.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// Where a wrong token or signature was shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::web) enum Door {
    /// The API, or the metrics.
    Api,
    /// The pages.
    Page,
    /// The hook of this name.
    Hook(String),
}

impl Door {
    const fn as_str(&self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Page => "page",
            Self::Hook(_) => "hook",
        }
    }
}

/// What is known of wrong ones. Cheap to clone.
#[derive(Clone)]
pub(in crate::web) struct Guesses {
    known: Arc<Mutex<Known>>,
    metrics: Arc<Metrics>,
}

#[derive(Default)]
struct Known {
    peers: Peers,
    /// Until when nothing more is told.
    quiet_until: Option<Instant>,
    /// Since the last line.
    untold: u64,
}

impl Guesses {
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self { known: Arc::default(), metrics }
    }

    /// A wrong one came: counts it, tells it, and ends when it may be answered. Its connection makes room for others
    /// meanwhile.
    pub async fn wrong(&self, door: Door, turn: Option<&Turn>) {
        let peer = turn.map_or(Peer::OTHERS, Turn::peer);
        self.metrics.credential_refused(door.as_str());
        self.tell(&door, peer);
        let wait = self.lock().peers.wait(peer, Instant::now());
        if !wait.is_zero() {
            turn.into_iter().for_each(Turn::give_way);
            tokio::time::sleep(wait).await;
        }
    }

    /// Writes a line at once, or one for all that come until the next may be written.
    fn tell(&self, door: &Door, peer: Peer) {
        let mut known = self.lock();
        known.untold += 1;
        let now = Instant::now();
        match known.quiet_until {
            Some(end) if now < end && known.untold > 1 => {}
            Some(end) if now < end => {
                let (guesses, door) = (self.clone(), door.clone());
                #[expect(clippy::disallowed_methods, reason = "it sleeps, writes one line and ends")]
                tokio::spawn(async move {
                    tokio::time::sleep_until(end).await;
                    guesses.lock().write(&door, peer);
                });
            }
            _ => known.write(door, peer),
        }
    }

    /// Never kept across an await.
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn write(&mut self, door: &Door, peer: Peer) {
        let hook = if let Door::Hook(name) = door { Some(name.as_str()) } else { None };
        tracing::warn!(door = door.as_str(), hook, address = %peer, count = self.untold,
            "wrong tokens or signatures were shown; the first of them at this door from this address");
        (self.untold, self.quiet_until) = (0, Some(Instant::now() + TELL_EVERY));
    }
}

/// By address, when it will have been answered all it asked for at one answer a second.
#[derive(Default)]
struct Peers(HashMap<Peer, Instant>);

impl Peers {
    /// How long the next answer to this address has to wait.
    fn wait(&mut self, peer: Peer, now: Instant) -> Duration {
        if self.0.len() >= PEERS_MAX {
            self.0.retain(|_, due| *due > now);
        }
        let is_known = self.0.contains_key(&peer) || self.0.len() < PEERS_MAX;
        let due = self.0.entry(if is_known { peer } else { Peer::OTHERS }).or_insert(now);
        let free = now + EVERY * FREE;
        *due = ((*due).max(now) + EVERY).min(free + WAIT_MAX);
        due.saturating_duration_since(free)
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn peer(number: u32) -> Peer {
        IpAddr::from(number.to_be_bytes()).into()
    }

    #[test]
    fn an_address_that_is_wrong_often_waits_and_another_does_not() {
        let (mut peers, now) = (Peers::default(), Instant::now());
        let mut waits = |number, count: usize, at| (0..count).map(|_| peers.wait(peer(number), at)).last();
        assert_eq!(waits(1, 10, now), Some(Duration::ZERO));
        assert_eq!(waits(1, 3, now), Some(Duration::from_secs(3)));
        assert_eq!(waits(2, 1, now), Some(Duration::ZERO));
        assert_eq!(waits(1, 1_000, now), Some(WAIT_MAX));
        let later = now + Duration::from_secs(12);
        assert_eq!(waits(1, 1, later), Some(Duration::ZERO), "it is forgiven with time");
        assert_eq!(waits(1, 2, later), Some(Duration::from_secs(1)));
    }

    #[test]
    fn memory_is_bounded_and_quiet_addresses_are_forgotten() {
        let (mut peers, now) = (Peers::default(), Instant::now());
        for number in 0..20_000 {
            peers.wait(peer(number), now);
        }
        assert!(peers.0.len() <= PEERS_MAX + 1, "{}", peers.0.len());
        assert_eq!(peers.wait(peer(30_000), now), WAIT_MAX, "those beyond are one");
        assert_eq!(peers.wait(peer(30_000), now + Duration::from_secs(60)), Duration::ZERO);
        assert_eq!(peers.0.len(), 1);
    }
}
