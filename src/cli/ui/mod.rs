//! The terminal: how data is printed, tables and colours, questions, progress and `--watch`.

pub mod confirm;
pub mod diff;
pub mod output;
pub mod progress;
pub mod spool;
pub mod style;
mod table;
pub mod watch;
