//! How many connections may be open, in all and of one address.
//!
//! Where there is no room for a new one, the one that has waited longest for its request, or for its body, is closed: half-open
//! connections make room for good requests, also where both come from one address. A connection whose request is being
//! answered is never closed for another.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

use super::client_address::ClientAddress;
use crate::metrics::Metrics;

/// How many connections may be open.
#[derive(Debug, Clone, Copy)]
pub(in crate::web) struct ConnectionLimits {
    /// In all.
    pub all: usize,
    /// Of one address.
    pub per_address: usize,
}

/// Those that are open.
#[derive(Clone)]
pub(in crate::web) struct Connections {
    limits: ConnectionLimits,
    open: Arc<Mutex<OpenConnections>>,
    metrics: Arc<Metrics>,
}

#[derive(Default)]
struct OpenConnections {
    /// Counts what happens: whose number is lower has waited longer.
    moment: u64,
    by_id: HashMap<u64, OpenConnection>,
}

struct OpenConnection {
    client: ClientAddress,
    /// Since when it waits for its client; none while its request is being answered.
    waiting_since: Option<u64>,
    closing: CancellationToken,
}

impl OpenConnections {
    fn next_moment(&mut self) -> u64 {
        self.moment += 1;
        self.moment
    }

    /// Closes the one of these that has waited longest; false where none of them waits.
    fn close_oldest(&mut self, among: impl Fn(&OpenConnection) -> bool) -> bool {
        let waiting = self.by_id.iter().filter(|(_, connection)| among(connection));
        let oldest = waiting.filter_map(|(id, connection)| Some((connection.waiting_since?, *id))).min();
        let closed = oldest.and_then(|(_, id)| self.by_id.remove(&id));
        closed.map(|connection| connection.closing.cancel()).is_some()
    }
}

impl Connections {
    pub fn new(limits: ConnectionLimits, metrics: Arc<Metrics>) -> Self {
        Self { limits, open: Arc::default(), metrics }
    }

    /// A place for a new connection, where there is room or can be made.
    pub fn admit(&self, client: ClientAddress) -> Option<Arc<Connection>> {
        let mut open = self.lock();
        let of_client = open.by_id.values().filter(|connection| connection.client == client).count();
        let has_room = match (of_client >= self.limits.per_address, open.by_id.len() >= self.limits.all) {
            (true, _) => self.make_room(&mut open, |connection| connection.client == client),
            (false, true) => self.make_room(&mut open, |_| true),
            (false, false) => true,
        };
        if !has_room {
            return None;
        }
        let (id, closing) = (open.next_moment(), CancellationToken::new());
        open.by_id.insert(id, OpenConnection { client, waiting_since: Some(id), closing: closing.clone() });
        self.metrics.http_connections(open.by_id.len());
        drop(open);
        Some(Arc::new(Connection { id, client, closing, all: self.clone() }))
    }

    /// Closes the one that has waited longest for its client: for who needs a descriptor.
    pub fn close_oldest(&self) {
        self.make_room(&mut self.lock(), |_| true);
    }

    fn make_room(&self, open: &mut OpenConnections, among: impl Fn(&OpenConnection) -> bool) -> bool {
        self.metrics.http_connection_displaced();
        open.close_oldest(among)
    }

    /// The open ones. Never kept across an await.
    fn lock(&self) -> MutexGuard<'_, OpenConnections> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One that is open, for as long as this value is kept.
pub(in crate::web) struct Connection {
    id: u64,
    client: ClientAddress,
    /// Cancelled when it must make room.
    pub closing: CancellationToken,
    all: Connections,
}

impl Connection {
    fn waits(&self, waits: bool) {
        let mut open = self.all.lock();
        let moment = open.next_moment();
        if let Some(connection) = open.by_id.get_mut(&self.id) {
            connection.waiting_since = waits.then_some(moment);
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
pub(in crate::web) struct ActiveRequest(Arc<WaitsAgainOnDrop>);

struct WaitsAgainOnDrop(Arc<Connection>);

impl ActiveRequest {
    pub fn new(connection: Arc<Connection>) -> Self {
        Self(Arc::new(WaitsAgainOnDrop(connection)))
    }

    pub fn client(&self) -> ClientAddress {
        self.0.0.client
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

impl Drop for WaitsAgainOnDrop {
    fn drop(&mut self) {
        self.0.waits(true);
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    const LIMITS: ConnectionLimits = ConnectionLimits { all: 5, per_address: 3 };

    fn client(last: u8) -> ClientAddress {
        IpAddr::from([10, 0, 0, last]).into()
    }

    fn filled(connections: &Connections, peers: &[u8]) -> Vec<Arc<Connection>> {
        peers.iter().map(|last| connections.admit(client(*last)).expect("room")).collect()
    }

    fn closed(kept: &[Arc<Connection>]) -> Vec<bool> {
        kept.iter().map(|connection| connection.closing.is_cancelled()).collect()
    }

    #[test]
    fn the_longest_waiting_of_an_address_makes_room_for_its_next() {
        let connections = Connections::new(LIMITS, Arc::default());
        let kept = filled(&connections, &[2, 1, 1, 1]);
        let active_request = ActiveRequest::new(kept[1].clone());
        active_request.begin();
        connections.admit(client(1)).expect("room is made");
        assert_eq!(closed(&kept), [false, false, true, false]);
        drop(active_request);
        let kept = [kept, filled(&connections, &[1])].concat();
        filled(&connections, &[1]);
        assert_eq!(closed(&kept), [false, false, true, true, false], "who was answered waits anew");
    }

    #[test]
    fn the_longest_waiting_of_all_makes_room_where_all_are_too_many() {
        let connections = Connections::new(LIMITS, Arc::default());
        let kept = filled(&connections, &[1, 1, 2, 2, 3]);
        connections.admit(client(4)).expect("room is made");
        assert_eq!(closed(&kept), [true, false, false, false, false]);
    }

    #[test]
    fn nobody_who_is_being_answered_is_closed_and_who_comes_then_is_refused() {
        let connections = Connections::new(LIMITS, Arc::default());
        let kept = filled(&connections, &[1, 1, 1]);
        let turns: Vec<_> = kept.iter().map(|connection| ActiveRequest::new(connection.clone())).collect();
        turns.iter().for_each(ActiveRequest::begin);
        assert!(connections.admit(client(1)).is_none());
        assert!(connections.admit(client(2)).is_some(), "others have their share");
        turns[2].give_way();
        assert!(connections.admit(client(1)).is_some());
        assert_eq!(closed(&kept), [false, false, true]);
    }

    #[test]
    fn a_connection_that_ended_leaves_its_place() {
        let connections = Connections::new(LIMITS, Arc::default());
        let kept = filled(&connections, &[1, 1, 1]);
        let active_request = ActiveRequest::new(kept[0].clone());
        active_request.begin();
        drop(kept);
        let kept = filled(&connections, &[1, 1]);
        assert_eq!(closed(&kept), [false, false]);
    }
}
