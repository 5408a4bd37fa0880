//! What can go wrong, how each case is treated, and when it is retried.

pub(super) mod doubling;
pub(super) mod failure;
pub(super) mod retry;
