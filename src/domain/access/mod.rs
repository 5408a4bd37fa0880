//! Who may do what over the API and the pages, and what the log keeps of what they did.

mod log_entry;
mod role;

pub use log_entry::{ChainFault, LogEntry, NewLogEntry, Via, check_chain};
pub use role::{Permission, Role, RoleError, TokenName, TokenNameError};
