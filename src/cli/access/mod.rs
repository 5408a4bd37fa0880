//! Tokens of the API, and the log of who changed what; `change_log` writes what verbs of the command line change.

mod audit_log;
pub mod change_log;
mod tokens;

pub use audit_log::run as run_audit_log;
pub use tokens::run as run_tokens;
