//! What tests, demos and operators do with a running switch.

pub(crate) mod handle;
pub(crate) mod operator;
pub(crate) mod socket;
