//! What the first switch of a world counts while somebody holds its configuration lock.

use serde::Deserialize;

use crate::world::World;

/// One time that the lock was held.
#[derive(Debug, Clone, Deserialize)]
pub struct Hold {
    /// Without the one for the lock.
    requests: Vec<String>,
    pub round_trips: usize,
    /// Bytes that the switch sent.
    pub bytes: usize,
    held_ms: u64,
    committing_ms: u64,
}

impl Hold {
    /// The requests, with the one for the lock.
    pub const fn requests(&self) -> usize {
        self.requests.len() + 1
    }

    /// Commits and confirmations, also those that were refused.
    pub fn commits(&self) -> usize {
        self.requests.iter().filter(|name| *name == "commit-configuration").count()
    }

    pub const fn held_s(&self) -> f64 {
        self.held_ms as f64 / 1_000.0
    }

    /// What commits and confirmations took of it.
    pub const fn committing_s(&self) -> f64 {
        self.committing_ms as f64 / 1_000.0
    }
}

/// Every hold so far that has ended, the oldest first.
pub async fn holds(world: &World) -> Vec<Hold> {
    let answer = world.sims.order("sw-001 holds").await;
    serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{error}: {answer}"))
}
