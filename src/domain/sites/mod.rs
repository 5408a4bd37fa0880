//! Sites whose switches are left alone: frozen by somebody, or by itself when too much goes wrong.

pub(super) mod auto_freeze;
pub(super) mod freeze;
