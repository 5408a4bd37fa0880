//! What answers over HTTP: `/healthz` (the process lives), `/readyz` (it can work), `/metrics`, the API, and the hooks.

pub mod api;
mod guard;
mod health;
mod hooks;
mod server;

pub use api::App;
pub use health::{Readiness, Vitals};
pub use server::{Access, serve};
