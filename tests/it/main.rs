//! The integration tests: one binary, run by `tests/run` against servers of its own (see `tests/servers`).
#![allow(missing_docs, reason = "tests are named by sentences")]
#![allow(clippy::disallowed_methods, reason = "a test waits for what it starts")]
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "no part of the program")]

mod api;
mod broker;
mod chaos;
mod database;
mod deploy;
mod examples;
mod harness;
mod hooks;
mod http;
mod junos;
mod limits;
mod model;
mod on_the_server;
mod pages;
mod scenario;
mod store;
mod support;
mod switch;
mod tidy;
mod tls;
mod webhooks;
