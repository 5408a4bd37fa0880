//! Which database it is: the engine that hides it, transactions, errors, the clock, private files.

pub(super) mod clash;
pub(super) mod clock;
pub(super) mod connect_reason;
pub(super) mod engine;
pub(super) mod error;
pub(super) mod lineage;
pub(super) mod postgres;
pub(super) mod private_files;
pub(super) mod statement;
pub(super) mod tx;
