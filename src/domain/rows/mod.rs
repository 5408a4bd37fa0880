//! What a row says: its states, and its binding on each switch port.

pub(super) mod binding;
pub(super) mod lifecycle;
