//! What can go wrong, how each case is treated, when it is retried, and who can put it right.

pub(super) mod cure;
pub(super) mod doubling;
pub(super) mod failure;
pub(super) mod retry;
