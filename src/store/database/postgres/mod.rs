//! Postgres: the hosts of its URL and which of them takes writes, connections there, and transactions.

pub(in crate::store) mod hosts;
pub(in crate::store) mod pools;
pub(in crate::store) mod primary;
pub(in crate::store) mod probe;
pub(in crate::store) mod session;
pub(in crate::store) mod transaction;
