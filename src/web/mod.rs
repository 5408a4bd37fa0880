//! What answers over HTTP: `/healthz` (the process lives) and `/readyz` (it can work).

mod health;

pub use health::{Health, Readiness, serve};
