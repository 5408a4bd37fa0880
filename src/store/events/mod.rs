//! Events: their bodies, and the outbox from which they are published.

pub(super) mod at_hand;
pub(super) mod body;
pub(super) mod outbox;
