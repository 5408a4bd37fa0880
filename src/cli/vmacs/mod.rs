//! The verbs that ask for virtual MACs and show them: create, move, rotate, revoke, list and show.

pub mod dry_run;
pub mod list;
mod message;
mod not_found;
mod ownership;
pub mod request;
pub mod show;
mod subnet;
mod wait_reason;
