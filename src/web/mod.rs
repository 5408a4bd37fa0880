//! What answers over HTTP: `/healthz` (the process lives), `/readyz` (it can work) and `/metrics`.

mod guard;
mod health;
mod server;

pub use health::{Readiness, Vitals};
pub use server::{Access, serve};
