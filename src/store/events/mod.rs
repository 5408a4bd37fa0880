//! Events: their bodies, and the outbox from which they are published.

pub(super) mod body;
pub(super) mod outbox;
pub(super) mod unpublished;
