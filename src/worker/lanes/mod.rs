//! Lanes: which switch gets a push and when.

pub(super) mod dispatcher;
pub(super) mod lane;
