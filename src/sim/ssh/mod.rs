//! The SSH server of a switch.

pub(crate) mod cut_stream;
pub(crate) mod host_key;
pub(crate) mod server;
