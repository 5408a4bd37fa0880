//! The verbs that ask for virtual MACs and show them: create, move, rotate, revoke, list, show and history.

pub mod dry_run;
pub mod history;
pub mod list;
mod message;
mod not_found;
mod ownership;
pub mod request;
pub mod show;
mod subnet;
mod wait_reason;
