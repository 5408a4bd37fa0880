//! The events that this process wrote and publishes itself: at hand once their transaction is committed.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::store::database::engine::Row;
use crate::store::database::error::StoreError;

/// Events kept at hand; what is more is claimed later.
const AT_HAND_MAX: usize = 20_000;

/// An event that is not published yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its number, which also orders events.
    pub id: i64,
    /// `vmac.active`, ...
    pub routing_key: String,
    /// The body, JSON.
    pub body: String,
    /// The producer's correlation id.
    pub correlation_id: Option<String>,
    /// The producer's trace.
    pub traceparent: Option<String>,
    /// Until when it is claimed, milliseconds since 1970: tells this claim from another.
    pub claimed_until_ms: i64,
}

impl Event {
    /// The event of a row, with that claim.
    pub(in crate::store) fn from_row(row: &Row, claimed_until_ms: i64) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.get("id")?,
            routing_key: row.get("routing_key")?,
            body: row.get("body")?,
            correlation_id: row.get("correlation_id")?,
            traceparent: row.get("traceparent")?,
            claimed_until_ms,
        })
    }

    /// Its claim.
    pub const fn claim(&self) -> EventClaim {
        EventClaim { id: self.id, until_ms: self.claimed_until_ms }
    }
}

/// A process's claim on an event. By its number alone an event may be taken for another one: a database that came back older
/// than it was gives the numbers of the events that it lost to new ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct EventClaim {
    /// The event.
    id: i64,
    /// Until when it is claimed.
    until_ms: i64,
}

/// Who publishes the events that this process writes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Publisher {
    /// Whichever process claims them.
    #[default]
    Anyone,
    /// This process, which claims them for this long.
    ThisProcess { claim_ms: i64 },
    /// Nobody: there is no broker to publish to.
    Nobody,
}

/// How this process's events reach the broker, and those that it has at hand.
#[derive(Debug, Default)]
pub(in crate::store) struct Outbox(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    publisher: Publisher,
    at_hand: Vec<Event>,
}

impl Outbox {
    /// From now on this process publishes: it claims the events that it writes for this long.
    pub fn publish_here(&self, claim: Duration) {
        let claim_ms = i64::try_from(claim.as_millis()).unwrap_or(i64::MAX / 4);
        self.state().publisher = Publisher::ThisProcess { claim_ms };
    }

    /// From now on nobody publishes.
    pub fn publish_nowhere(&self) {
        self.state().publisher = Publisher::Nobody;
    }

    /// Takes up to `limit` of the events at hand, in the order of their transactions.
    pub fn take(&self, limit: usize) -> Vec<Event> {
        let at_hand = &mut self.state().at_hand;
        let count = limit.min(at_hand.len());
        at_hand.drain(..count).collect()
    }

    /// Takes the events of a transaction that was committed.
    pub fn committed(&self, events: Vec<Event>) {
        let mut state = self.state();
        let is_ours = matches!(state.publisher, Publisher::ThisProcess { .. });
        if is_ours && state.at_hand.len() < AT_HAND_MAX {
            state.at_hand.extend(events);
        }
    }

    /// Until when an event that is written at `now` is claimed; none where nobody publishes it.
    pub fn claimed_until_ms(&self, now: DateTime<Utc>) -> Option<i64> {
        match self.state().publisher {
            Publisher::Anyone => Some(0),
            Publisher::ThisProcess { claim_ms } => Some(now.timestamp_millis() + claim_ms),
            Publisher::Nobody => None,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
