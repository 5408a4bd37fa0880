//! The MACs that vmacd may hand out: pools, reservations, and those that are in use elsewhere.

pub mod import;
pub mod pools;
pub mod reservations;
