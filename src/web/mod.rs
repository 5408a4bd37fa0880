//! What answers over HTTP: `/healthz` (the process lives), `/readyz` (it can work), `/metrics`, the API for programs, the
//! hooks for panels and the pages for people.
//!
//! `routes` says who may use which; `guard` and `guesses` who may ask and what happens to who may not; `parameters` refuses what
//! nothing reads; `server`, `connections`, `send_limit` and `deadlines` bound what clients can take up.

pub mod api;
mod app;
mod backup_diff;
mod connections;
mod deadlines;
mod guard;
mod guesses;
mod health;
mod hooks;
mod pages;
mod parameters;
mod peer;
mod routes;
mod send_limit;
mod server;

pub use api::{DryRunChange, DryRunReport, DryRunSwitch, Rehearse};
pub use app::App;
pub use guard::Access;
pub use health::{HealthView, Readiness, Vitals};
pub use routes::Front;
pub use server::Server;
