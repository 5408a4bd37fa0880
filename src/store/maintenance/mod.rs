//! The database itself: its tables brought up to date, a copy of it, closing it.

pub(super) mod changes;
pub(super) mod close;
pub(super) mod copy;
pub(super) mod migrations;
pub(super) mod plan;
pub(super) mod statements;
pub(super) mod tables;
