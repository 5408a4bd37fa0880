//! Tokens of the API, and the log of who changed what.

pub(in crate::store) mod audit_log;
pub(in crate::store) mod secret;
pub(in crate::store) mod tokens;
