//! vmacd binds virtual MAC addresses to extra IP addresses on Juniper switch ports.
//!
//! Modules, from the bottom up; none sees those above it, and peers do not see each other
//! (`broker::embedded` keeps its queue in `store`, the one home of SQL):
//! - [`domain`]: MACs, commands, the lifecycle, the plan, the failures: pure values.
//! - [`config`]: the settings, read once and validated.
//! - [`telemetry`]: the log, and the traces that are exported.
//! - [`broker`]: the messages, over RabbitMQ or a queue in the store.
//! - [`store`]: the rows, on Postgres or SQLite.
//! - [`switch`]: one switch's client: SSH, NETCONF, dialects, the push.
//! - [`webhooks`]: sends events over HTTP, signed.
//! - [`worker`]: takes messages in, brings the switches to what the rows desire, settles the messages.
//! - [`metrics`]: what is counted and measured.
//! - [`web`]: health and metrics over HTTP.
//! - [`cli`]: the command line and the composition root.
//! - [`failpoint`]: places where tests make the program fail.
//! - [`sim`]: a Junos-like switch on a real port, for trials and tests; it sees none of the others.
//!
//! Public is what `main`, the tests and the benchmarks use; of the rest the compiler says what nothing uses.

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "a test waits for what it starts"))]

#[allow(clippy::disallowed_methods, reason = "consumers and publishers keep their own connections")]
pub mod broker;
pub mod cli;
pub mod config;
pub mod domain;
mod failpoint;
mod metrics;
#[allow(clippy::disallowed_methods, reason = "a simulated switch is no part of the service")]
pub mod sim;
pub mod store;
pub mod switch;
mod telemetry;
mod web;
mod webhooks;
mod worker;
