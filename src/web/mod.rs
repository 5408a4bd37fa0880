//! What answers over HTTP: `/healthz` (the process lives), `/readyz` (it can work), `/metrics`, and the API.

pub mod api;
mod guard;
mod health;
mod server;

pub use api::App;
pub use health::{Readiness, Vitals};
pub use server::{Access, serve};
