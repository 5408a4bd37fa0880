//! Checks of the switches while nothing is to be done: drift, and whether bindings are in force.

pub(super) mod drift;
pub(super) mod in_force;
