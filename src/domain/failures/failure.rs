//! The catalogue of what can go wrong, and the three ways in which a failure is treated.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An error with its causes in one line, for where it is told: no error's own text repeats its cause.
pub fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.map(ToString::to_string).fold(error.to_string(), |text, cause| {
        // Some errors say their cause already.
        let is_said = text == cause || text.ends_with(&format!(": {cause}"));
        if is_said { text } else { format!("{text}: {cause}") }
    })
}

/// How a failure is treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureClass {
    /// The change's own: trying again cannot help. Dead letter at once.
    Permanent,
    /// The change's own, and it may pass: tried again with growing delays, counted, dead letter after
    /// `retry.attempts_max` attempts.
    Transient,
    /// Not the change's fault: the switch's, or that of something around it. Costs no attempt; bounded by age alone.
    Deferred,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $text:literal => $class:ident,)*) => {
        /// The stable reason codes of dead letters, rows, events and the command line.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum Code {
            $($(#[$doc])* #[serde(rename = $text)] $variant,)*
        }

        impl Code {
            /// Every code there is.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The code as it is stored and shown.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }

            /// How a failure with this code is treated.
            pub const fn class(self) -> FailureClass {
                match self {
                    $(Self::$variant => FailureClass::$class,)*
                }
            }
        }
    };
}

codes! {
    /// The body is not UTF-8.
    NotUtf8 = "not_utf8" => Permanent,
    /// The body is not JSON.
    NotJson = "not_json" => Permanent,
    /// The body is larger than 64 KiB.
    TooLarge = "too_large" => Permanent,
    /// The body is encoded in a way that is not read, or not encoded as the message says.
    InvalidEncoding = "invalid_encoding" => Permanent,
    /// The routing key names no command.
    UnknownCommand = "unknown_command" => Permanent,
    /// A field is unknown, missing or of the wrong type.
    InvalidField = "invalid_field" => Permanent,
    /// The address is none, or none that can be bound.
    InvalidAddress = "invalid_address" => Permanent,
    /// The MAC is none, or none that may be virtual.
    InvalidMac = "invalid_mac" => Permanent,
    /// The VLAN's name is none.
    InvalidVlan = "invalid_vlan" => Permanent,
    /// The command was issued more than five minutes in the future.
    IssuedInFuture = "issued_in_future" => Permanent,
    /// The message's id was used before with another body.
    MessageIdReused = "message_id_reused" => Permanent,
    /// The inventory has no such server.
    UnknownServer = "unknown_server" => Permanent,
    /// The inventory knows no port of the server.
    ServerWithoutPort = "server_without_port" => Permanent,
    /// The address is the primary one of a server; it keeps the PXE MAC.
    PrimaryAddress = "primary_address" => Permanent,
    /// The address has a virtual MAC for another server.
    AddressTaken = "address_taken" => Permanent,
    /// The MAC asked for is in use, was in use, or is a PXE MAC.
    MacTaken = "mac_taken" => Permanent,
    /// The MAC asked for is not the one that is reserved for the server's address.
    ReservedDifferently = "reserved_differently" => Permanent,
    /// The settings have no such pool.
    UnknownPool = "unknown_pool" => Permanent,
    /// The pool has no free MAC left.
    PoolExhausted = "pool_exhausted" => Permanent,
    /// The address is bound already with another MAC or VLAN than asked for.
    BoundDifferently = "bound_differently" => Permanent,
    /// The address has no virtual MAC on the server that the command takes it from: its create may still be on its way.
    NotBound = "not_bound" => Transient,
    /// The inventory has no such switch.
    UnknownSwitch = "unknown_switch" => Permanent,
    /// No VLAN could be found for the address.
    VlanUnresolved = "vlan_unresolved" => Permanent,
    /// The switch does not have the VLAN that was named.
    UnknownVlan = "unknown_vlan" => Permanent,
    /// A statement that the binding would stand under is inactive on the switch.
    InactiveStatement = "inactive_statement" => Permanent,
    /// The binding comes from a configuration group of the switch, and cannot be changed at the port.
    InheritedBinding = "inherited_binding" => Permanent,
    /// The address is of IPv6, which the switch's dialect cannot bind.
    Ipv6Unsupported = "ipv6_unsupported" => Permanent,
    /// The address is bound on the port to a MAC that vmacd did not put there.
    ForeignBinding = "foreign_binding" => Permanent,
    /// Another port of the switch holds the address, and no row accounts for that.
    AddressElsewhere = "address_elsewhere" => Permanent,
    /// The switch refused this change.
    RefusedBySwitch = "refused_by_switch" => Permanent,
    /// The switch refused the change because the MAC stands for another address on the port.
    DuplicateMac = "duplicate_mac" => Permanent,
    /// The switch has no pinned host key.
    HostKeyMissing = "host_key_missing" => Deferred,
    /// The switch showed another host key than the pinned one.
    HostKeyChanged = "host_key_changed" => Deferred,
    /// The login may not do this on the switch.
    PermissionDenied = "permission_denied" => Deferred,
    /// The settings have no such credential, or it cannot be read.
    CredentialMissing = "credential_missing" => Deferred,
    /// The switch refused the login.
    LoginRefused = "login_refused" => Deferred,
    /// The switch did not answer.
    Unreachable = "unreachable" => Deferred,
    /// The connection to the switch broke before a commit was sent.
    ConnectionLost = "connection_lost" => Deferred,
    /// The switch reported trouble of its own that passes.
    SwitchTrouble = "switch_trouble" => Deferred,
    /// The switch refuses every commit, for something in its configuration that is none of the changes that wait.
    ConfigurationRefused = "configuration_refused" => Deferred,
    /// The switch answered in a way that is not understood.
    ReplyNotUnderstood = "reply_not_understood" => Deferred,
    /// After the commit the switch held something else than was pushed.
    ReadBackDiffers = "read_back_differs" => Transient,
    /// The worker's own host had no file descriptor, memory or local port left to reach the switch with.
    WorkerTrouble = "worker_trouble" => Deferred,
    /// The database did not answer.
    DatabaseTrouble = "database_trouble" => Deferred,
    /// Somebody holds the candidate's lock.
    LockedByOther = "locked_by_other" => Deferred,
    /// The candidate holds somebody's uncommitted edits.
    CandidateDirty = "candidate_dirty" => Deferred,
    /// Somebody's confirmed commit waits for its confirmation.
    ConfirmPending = "confirm_pending" => Deferred,
    /// Another worker has the switch's lease.
    LeaseHeld = "lease_held" => Deferred,
    /// The lease went to another worker during the push.
    LeaseLost = "lease_lost" => Deferred,
    /// The address is being taken off another server.
    AddressReleasing = "address_releasing" => Deferred,
    /// The switch's site is frozen.
    Frozen = "frozen" => Deferred,
    /// The switch's site had as many commits in the last minute as it may have.
    SiteLimit = "site_limit" => Deferred,
    /// A commit was sent and no answer came.
    CommitUnanswered = "commit_unanswered" => Deferred,
    /// The broker gave the message up after too many deliveries.
    DeliveryLimit = "delivery_limit" => Permanent,
}

impl Code {
    /// False for what a person or a limit decided: however long it lasts, no change is given up for it.
    pub const fn ages(self) -> bool {
        !matches!(self, Self::Frozen | Self::SiteLimit)
    }

    /// The code of a text as stored.
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.as_str() == text)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One failure: the stable code and a sentence for the person who reads it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {text}")]
pub struct Failure {
    /// What kind of failure.
    pub code: Code,
    /// What happened, to which thing, and what to do where that is known.
    pub text: String,
}

impl Failure {
    /// A failure of this code with this sentence.
    pub fn new(code: Code, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }

    /// How it is treated.
    pub const fn class(&self) -> FailureClass {
        self.code.class()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_reads_back_and_no_two_share_a_text() {
        for code in Code::ALL {
            assert_eq!(Code::from_text(code.as_str()), Some(*code));
        }
    }

    #[test]
    fn every_code_is_documented_with_its_class_and_its_cure() {
        let page = include_str!("../../../docs/ERRORS.md");
        for code in Code::ALL {
            let class = format!("{:?}", code.class()).to_lowercase();
            let row = format!("| `{code}` | {class} | {} |", code.cure().as_str());
            assert!(page.contains(&row), "{row}");
        }
    }
}
