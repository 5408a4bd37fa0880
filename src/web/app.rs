//! What the API and the pages work with.

use super::api::Replays;
use crate::broker::Broker;
use crate::store::Store;

/// The rows, the messages, and the replays under way. Cheap to clone.
#[derive(Clone)]
pub struct App {
    pub(super) store: Store,
    pub(super) broker: Broker,
    pub(super) replays: Replays,
}

impl App {
    /// Over these.
    pub fn new(store: Store, broker: Broker) -> Self {
        Self { store, broker, replays: Replays::default() }
    }
}
