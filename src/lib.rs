//! vmacd binds virtual MAC addresses to extra IP addresses on Juniper switch ports.
//!
//! Modules, from the bottom up; none sees those above it, and peers do not see each other
//! (`broker::embedded` keeps its queue in `store`, the one home of SQL):
//! - [`domain`]: MACs, commands, the lifecycle, the plan, the failures: pure values.
//! - [`config`]: the settings, read once and validated.

pub mod config;
pub mod domain;
