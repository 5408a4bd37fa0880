//! Simulated Juniper EX switches: a real SSH server on a real port, for NETCONF and for a CLI, with the configuration
//! database, the locks, the confirmed commits and the refusals of the real thing, and with faults to order.
//!
//! The device itself is pure ([`device`](self), clock passed in); `switch`, `session` and `server` are its edge. Nothing
//! here is shared with the client, so that the two cannot agree on a mistake.

mod base;
mod check;
mod cli;
mod cli_commands;
mod cli_edit;
mod cli_line;
mod cli_pipe;
mod cli_show;
mod cli_words;
mod commit;
mod control;
mod cut_stream;
mod device;
mod diff;
mod edit;
mod error;
mod estate;
mod faults;
mod filler;
mod filter;
mod framing;
mod guarding;
mod handle;
mod history;
mod host_key;
mod in_force;
mod inherit;
mod interface_range;
mod inventory;
mod lex;
mod load;
mod lock_watch;
mod locking;
mod mac_table;
mod model;
mod odd_bytes;
mod operator;
mod options;
mod pace;
mod plan;
mod print_text;
mod print_xml;
mod protect;
mod read_xml;
mod reply_error;
mod requests;
mod rfc_compliant;
mod rpc;
mod rpc_commit;
mod rpc_config;
mod rpc_load;
mod rpc_lock;
mod rpc_oper;
mod run;
mod schema;
mod security_table;
mod server;
mod session;
mod set;
mod switch;
mod text;
mod time;
mod tree;
mod xml;

pub use check::{DuplicateScope, SimBinding};
pub use error::SimError;
pub use estate::Estate;
pub use faults::{Fault, FaultKind, Faults};
pub use handle::SimHandle;
pub use history::Commit;
pub use lock_watch::LockHold;
pub use model::Dialect;
pub use options::Options;
pub use pace::{parse_bytes, parse_rate};
pub use plan::SimServer;
pub use run::run;

#[cfg(test)]
mod as_loaded_tests;
#[cfg(test)]
mod cli_tests;
#[cfg(test)]
mod device_tests;
#[cfg(test)]
mod round_trip_tests;
