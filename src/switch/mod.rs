//! One switch's client: SSH, NETCONF, the two configuration dialects, and the push as a transaction.
//!
//! `push` is where to start reading: `push::transaction` is what it shares with `restore`, `push::planning` what it shares
//! with `push::preview`. Below it, each using only what comes after it here:
//!
//! - `known`: what was read of a switch, and the version that it is of
//! - `in_force`: whether bindings guard anything
//! - `client`: an open session with one method for each request; `client::ssh` alone knows russh
//! - `commits`: the commit history and the commit log
//! - `vlans`: what ports and VLANs say of each other
//! - `dialect`: renders and reads bindings
//! - `netconf`: frames, numbers and reads messages
//!
//! Nothing here knows of rows or queues: what must be written down on the way goes through [`Journal`].

mod client;
mod commits;
mod dialect;
mod error;
mod in_force;
mod known;
mod netconf;
mod push;
mod restore;
mod vlans;

pub use client::queries::SwitchFacts;
pub use client::ssh::{Credential, fetch_host_key};
pub use client::{SwitchClient, Timeouts};
pub use commits::history::{CommitEntry, PendingConfirm, commits_since, pending_confirm};
pub use error::{SwitchError, refusal};
pub use in_force::InForceReport;
pub use in_force::guards::VlanGuards;
pub use known::{KnownConfiguration, PushBackup, Version};
pub use netconf::{Decoder, Element, Framing, FramingError, Reply, RpcError, Severity, XmlError, encode, take_text};
pub use push::journal::{Journal, PushContent, PushEnd, PushIntent, PushReport, RowSource, Stage};
pub use push::preview::{ChangePreview, preview_changes};
pub use push::push;
pub use push::transaction::PushOptions;
pub use restore::{RestoreDifference, RestoreEnd, RestoreTarget, preview, restore};
