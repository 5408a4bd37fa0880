//! How many connections may be open, in all and of one address.
//!
//! Where there is no room for a new one, the one that has waited longest for its request, or for its body, is closed: half-open
//! connections make room for good requests, also where both come from one address. A connection whose request is being
//! answered is never closed for another.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

use super::client_address::Peer;
use crate::metrics::Metrics;

/// How many connections may be open.
#[derive(Debug, Clone, Copy)]
pub(in crate::web) struct Bounds {
    /// In all.
    pub all: usize,
    /// Of one address.
    pub per_address: usize,
}

/// Those that are open.
#[derive(Clone)]
pub(in crate::web) struct Connections {
    bounds: Bounds,
    open: Arc<Mutex<Open>>,
    metrics: Arc<Metrics>,
}

#[derive(Default)]
struct Open {
    /// Counts what happens: whose number is lower has waited longer.
    moment: u64,
    by_id: HashMap<u64, Standing>,
}

struct Standing {
    peer: Peer,
    /// Since when it waits for its client; none while its request is being answered.
    waiting_since: Option<u64>,
    closing: CancellationToken,
}

impl Open {
    fn next_moment(&mut self) -> u64 {
        self.moment += 1;
        self.moment
    }

    /// Closes the one of these that has waited longest; false where none of them waits.
    fn close_oldest(&mut self, among: impl Fn(&Standing) -> bool) -> bool {
        let waiting = self.by_id.iter().filter(|(_, standing)| among(standing));
        let oldest = waiting.filter_map(|(id, standing)| Some((standing.waiting_since?, *id))).min();
        let closed = oldest.and_then(|(_, id)| self.by_id.remove(&id));
        closed.map(|standing| standing.closing.cancel()).is_some()
    }
}

impl Connections {
    pub fn new(bounds: Bounds, metrics: Arc<Metrics>) -> Self {
        Self { bounds, open: Arc::default(), metrics }
    }

    /// A place for a new connection, where there is room or can be made.
    pub fn admit(&self, peer: Peer) -> Option<Arc<Connection>> {
        let mut open = self.lock();
        let of_peer = open.by_id.values().filter(|standing| standing.peer == peer).count();
        let has_room = match (of_peer >= self.bounds.per_address, open.by_id.len() >= self.bounds.all) {
            (true, _) => self.make_room(&mut open, |standing| standing.peer == peer),
            (false, true) => self.make_room(&mut open, |_| true),
            (false, false) => true,
        };
        if !has_room {
            return None;
        }
        let (id, closing) = (open.next_moment(), CancellationToken::new());
        open.by_id.insert(id, Standing { peer, waiting_since: Some(id), closing: closing.clone() });
        self.metrics.http_connections(open.by_id.len());
        drop(open);
        Some(Arc::new(Connection { id, peer, closing, all: self.clone() }))
    }

    /// Closes the one that has waited longest for its client: for who needs a descriptor.
    pub fn close_oldest(&self) {
        self.make_room(&mut self.lock(), |_| true);
    }

    fn make_room(&self, open: &mut Open, among: impl Fn(&Standing) -> bool) -> bool {
        self.metrics.http_connection_displaced();
        open.close_oldest(among)
    }

    /// The open ones. Never kept across an await.
    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One that is open, for as long as this value is kept.
pub(in crate::web) struct Connection {
    id: u64,
    peer: Peer,
    /// Cancelled when it must make room.
    pub closing: CancellationToken,
    all: Connections,
}

impl Connection {
    fn waits(&self, waits: bool) {
        let mut open = self.all.lock();
        let moment = open.next_moment();
        if let Some(standing) = open.by_id.get_mut(&self.id) {
            standing.waiting_since = waits.then_some(moment);
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let mut open = self.all.lock();
        open.by_id.remove(&self.id);
        self.all.metrics.http_connections(open.by_id.len());
    }
}

/// One request of a connection, from its head to the end of its answer: while any copy of this is kept, and once the request
/// is whole, the connection is not closed for another.
#[derive(Clone)]
pub(in crate::web) struct Turn(Arc<OfConnection>);

struct OfConnection(Arc<Connection>);

impl Turn {
    pub fn new(connection: Arc<Connection>) -> Self {
        Self(Arc::new(OfConnection(connection)))
    }

    pub fn peer(&self) -> Peer {
        self.0.0.peer
    }

    /// The request is whole.
    pub fn begin(&self) {
        self.0.0.waits(false);
    }

    /// What is left need not be done where others want the place.
    pub fn give_way(&self) {
        self.0.0.waits(true);
    }
}

impl Drop for OfConnection {
    fn drop(&mut self) {
        self.0.waits(true);
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    const BOUNDS: Bounds = Bounds { all: 5, per_address: 3 };

    fn peer(last: u8) -> Peer {
        IpAddr::from([10, 0, 0, last]).into()
    }

    fn filled(connections: &Connections, peers: &[u8]) -> Vec<Arc<Connection>> {
        peers.iter().map(|last| connections.admit(peer(*last)).expect("room")).collect()
    }

    fn closed(kept: &[Arc<Connection>]) -> Vec<bool> {
        kept.iter().map(|connection| connection.closing.is_cancelled()).collect()
    }

    #[test]
    fn the_longest_waiting_of_an_address_makes_room_for_its_next() {
        let connections = Connections::new(BOUNDS, Arc::default());
        let kept = filled(&connections, &[2, 1, 1, 1]);
        let turn = Turn::new(kept[1].clone());
        turn.begin();
        connections.admit(peer(1)).expect("room is made");
        assert_eq!(closed(&kept), [false, false, true, false]);
        drop(turn);
        let kept = [kept, filled(&connections, &[1])].concat();
        filled(&connections, &[1]);
        assert_eq!(closed(&kept), [false, false, true, true, false], "who was answered waits anew");
    }

    #[test]
    fn the_longest_waiting_of_all_makes_room_where_all_are_too_many() {
        let connections = Connections::new(BOUNDS, Arc::default());
        let kept = filled(&connections, &[1, 1, 2, 2, 3]);
        connections.admit(peer(4)).expect("room is made");
        assert_eq!(closed(&kept), [true, false, false, false, false]);
    }

    #[test]
    fn nobody_who_is_being_answered_is_closed_and_who_comes_then_is_refused() {
        let connections = Connections::new(BOUNDS, Arc::default());
        let kept = filled(&connections, &[1, 1, 1]);
        let turns: Vec<_> = kept.iter().map(|connection| Turn::new(connection.clone())).collect();
        turns.iter().for_each(Turn::begin);
        assert!(connections.admit(peer(1)).is_none());
        assert!(connections.admit(peer(2)).is_some(), "others have their share");
        turns[2].give_way();
        assert!(connections.admit(peer(1)).is_some());
        assert_eq!(closed(&kept), [false, false, true]);
    }

    #[test]
    fn a_connection_that_ended_leaves_its_place() {
        let connections = Connections::new(BOUNDS, Arc::default());
        let kept = filled(&connections, &[1, 1, 1]);
        let turn = Turn::new(kept[0].clone());
        turn.begin();
        drop(kept);
        let kept = filled(&connections, &[1, 1]);
        assert_eq!(closed(&kept), [false, false]);
    }
}
