//! Lanes: which switch gets a push and when, and what becomes of it.

pub(super) mod call_off;
pub(super) mod dispatcher;
pub(super) mod lane;
pub(super) mod save_results;
pub(super) mod slots;
