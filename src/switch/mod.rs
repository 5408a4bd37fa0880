//! One switch's client: SSH, NETCONF, the two configuration dialects, and the push as a transaction.
//!
//! `push` is where to start reading, `transaction` is what it shares with `restore`, `planning` what it shares with
//! `preview`. `client` has one method for each request, `questions` those that change nothing, `netconf` frames, numbers
//! and reads, `ssh` and `ssh_channel` are the only places that know russh, `dialect` renders and reads bindings.
//! Nothing here knows of rows or queues: what must be written down on the way goes through [`Journal`].

mod ahead;
mod client;
mod commit_log;
mod dialect;
mod error;
mod groups;
mod guards;
mod held;
mod history;
mod host_short;
mod in_force;
mod interface_range;
mod journal;
mod known;
mod learned;
mod narrow;
mod netconf;
mod odd_bytes;
mod planning;
mod port_guard;
mod preview;
mod push;
mod questions;
mod resolve;
mod restore;
mod security_table;
mod ssh;
mod ssh_channel;
mod transaction;
mod vlans;

pub use client::{SwitchClient, Timeouts};
pub use error::{SwitchError, refusal};
pub use guards::VlanGuards;
pub use history::{CommitEntry, PendingConfirm, commits_since, pending_confirm};
pub use in_force::Found;
pub use journal::{Demand, Journal, PushContent, PushEnd, PushIntent, PushReport, Stage};
pub use known::{Before, Known, Version};
pub use netconf::{Decoder, Element, Framing, FramingError, Reply, RpcError, Severity, XmlError, encode, take_text};
pub use preview::{ChangePreview, preview_changes};
pub use push::push;
pub use questions::Facts;
pub use restore::{Difference, RestoreEnd, Wanted, preview, restore};
pub use ssh::{Credential, fetch_host_key};
pub use transaction::PushOptions;
