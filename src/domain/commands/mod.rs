//! What producers ask for, and what comes with a message: when it was issued, by whom, its trace, a body that is too long.

pub(super) mod command;
pub(super) mod issued;
pub(super) mod long_body;
pub(super) mod requester;
pub(super) mod trace;
