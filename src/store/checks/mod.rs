//! What checks of the switches found: drift, and whether bindings are in force.

pub(super) mod drift;
pub(super) mod in_force;
