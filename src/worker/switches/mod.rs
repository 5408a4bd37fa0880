//! What the worker has in hand of a switch: its lease, an open session, what is known of its configuration.

pub(super) mod connect;
pub(super) mod lease;
pub(super) mod memory;
pub(super) mod read_ahead;
pub(super) mod renewal;
pub(super) mod session;
pub(super) mod session_upkeep;
