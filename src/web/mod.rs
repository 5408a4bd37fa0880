//! What answers over HTTP: `/healthz` (the process lives), `/readyz` (it can work), `/metrics`, the API for programs, the
//! hooks for panels and the pages for people.
//!
//! `routes` says who may use which; `access` checks tokens and slows down wrong ones; `server` limits what clients can take up:
//! connections, time and bytes.

mod access;
mod api;
mod app_state;
mod backup_diff;
mod health;
mod hooks;
mod pages;
mod routes;
mod server;
mod server_context;

pub use access::guard::Access;
pub use api::{DryRunChange, DryRunReport, DryRunSwitch, DryRunner};
pub use app_state::AppState;
pub use health::{HealthSource, HealthView, Readiness};
pub use server::Server;
pub use server_context::ServerContext;
