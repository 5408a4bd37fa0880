//! What answers over HTTP: `/healthz` (the process lives), `/readyz` (it can work), `/metrics`, the API for programs, the
//! hooks for panels and the pages for people.

pub mod api;
mod app;
mod backup_diff;
mod guard;
mod health;
mod hooks;
mod pages;
mod server;

pub use app::App;
pub use health::{Readiness, Vitals};
pub use server::{Access, serve};
