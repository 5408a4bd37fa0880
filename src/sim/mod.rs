//! Simulated Juniper EX switches: a real SSH server on a real port, for NETCONF and for a CLI, with the configuration
//! database, the locks, the confirmed commits and the refusals of the real thing, and with faults to order.
//!
//! Its rooms, each built on those before it: `config` (the language), `device` (the rules; pure, clock passed in), `switch` (the
//! device as its connections share it, with its faults), `netconf` and `cli` (what is spoken), `ssh`, `control` (what tests and
//! operators do with a running switch), `estate` (many switches from one set of options). Nothing here is shared with the client,
//! so that the two cannot agree on a mistake.

mod cli;
mod config;
mod control;
mod device;
mod error;
mod estate;
mod netconf;
mod odd_bytes;
mod run;
mod ssh;
mod switch;
mod time;
mod xml;

pub use control::handle::SimHandle;
pub use device::commit_check::{DuplicateScope, SimBinding};
pub use device::history::Commit;
pub use device::model::Dialect;
pub use error::SimError;
pub use estate::Estate;
pub use estate::options::Options;
pub use estate::plan::SimServer;
pub use run::run;
pub use switch::faults::{Fault, FaultKind, Faults};
pub use switch::lock_watch::LockHold;
pub use switch::pace::{parse_bytes, parse_rate};
