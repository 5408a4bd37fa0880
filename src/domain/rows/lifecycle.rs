//! The states of a virtual MAC: `status` is what was observed, `desired` is the intent.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::domain::{BindingState, SwitchBinding, shown};

/// What was observed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// In the database, the switch push is in progress.
    Pending,
    /// Bound on every port it belongs on, read back from the switch.
    Active,
    /// The push failed for good; the reason stands on the row.
    Failed,
    /// Off the switch, the PXE MAC restored or the binding removed.
    Revoked,
}

/// What is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Desired {
    /// The virtual MAC is to stand on every port of the server.
    Bound,
    /// It is to be off every port.
    Unbound,
}

/// A text that is no status or intent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not one of {expected}", shown(text))]
pub struct StatusError {
    text: String,
    expected: &'static str,
}

impl Status {
    /// The text used in the database, in events and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Failed => "failed",
            Self::Revoked => "revoked",
        }
    }
}

impl Desired {
    /// The text used in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bound => "bound",
            Self::Unbound => "unbound",
        }
    }

    /// The state that every port must reach for the intent to hold.
    pub fn is_met_by(self, state: BindingState) -> bool {
        match self {
            Self::Bound => state == BindingState::Bound,
            Self::Unbound => matches!(state, BindingState::Restored | BindingState::Removed),
        }
    }
}

/// The status after the ports changed: the intent's end state when every port meets it, `failed`
/// when a port failed for good, else what it was.
pub fn derive_status(current: Status, desired: Desired, bindings: &[SwitchBinding]) -> Status {
    let end = match desired {
        Desired::Bound => Status::Active,
        Desired::Unbound => Status::Revoked,
    };
    if current == Status::Revoked {
        // For good: its address may be another row's by now.
        return current;
    }
    if bindings.iter().all(|binding| binding.is_met(desired)) {
        end
    } else if bindings.iter().any(|binding| binding.state == BindingState::Failed) {
        Status::Failed
    } else {
        current
    }
}

impl fmt::Display for Desired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Status {
    type Err = StatusError;

    fn from_str(text: &str) -> Result<Self, StatusError> {
        [Self::Pending, Self::Active, Self::Failed, Self::Revoked]
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or_else(|| StatusError { text: text.to_owned(), expected: "pending, active, failed, revoked" })
    }
}

impl FromStr for Desired {
    type Err = StatusError;

    fn from_str(text: &str) -> Result<Self, StatusError> {
        [Self::Bound, Self::Unbound]
            .into_iter()
            .find(|desired| desired.as_str() == text)
            .ok_or_else(|| StatusError { text: text.to_owned(), expected: "bound, unbound" })
    }
}

#[cfg(test)]
mod tests {
    use BindingState::{Bound, Failed, Pending, Removed, Restored};
    use chrono::DateTime;

    use super::*;

    fn bindings(states: &[BindingState]) -> Vec<SwitchBinding> {
        let one = |state: &BindingState| SwitchBinding {
            switch: "sw-1".parse().expect("a name"),
            server_id: None,
            leaving: false,
            interface: "ge-0/0/1.0".parse().expect("a name"),
            vlan: None,
            mac: "02:00:00:00:00:01".parse().expect("a MAC"),
            state: *state,
            previous_mac: None,
            backup_id: None,
            push_id: None,
            error: None,
            evidence: Vec::new(),
            in_force: None,
            at: DateTime::UNIX_EPOCH,
        };
        states.iter().map(one).collect()
    }

    #[test]
    fn the_status_follows_the_ports() {
        let table: &[(Status, Desired, &[BindingState], Status)] = &[
            (Status::Pending, Desired::Bound, &[Bound, Bound], Status::Active),
            (Status::Pending, Desired::Bound, &[Bound, Pending], Status::Pending),
            (Status::Pending, Desired::Bound, &[Bound, Failed], Status::Failed),
            (Status::Active, Desired::Unbound, &[Bound], Status::Active),
            (Status::Active, Desired::Unbound, &[Restored, Removed], Status::Revoked),
            (Status::Active, Desired::Unbound, &[Restored, Failed], Status::Failed),
            (Status::Failed, Desired::Unbound, &[Removed], Status::Revoked),
            (Status::Active, Desired::Bound, &[Pending], Status::Active),
            (Status::Revoked, Desired::Unbound, &[Pending], Status::Revoked),
            (Status::Revoked, Desired::Unbound, &[Failed], Status::Revoked),
        ];
        for (current, desired, states, expected) in table {
            assert_eq!(derive_status(*current, *desired, &bindings(states)), *expected, "{current} {states:?}");
        }
    }

    #[test]
    fn texts_read_back_as_what_they_were() {
        for status in [Status::Pending, Status::Active, Status::Failed, Status::Revoked] {
            assert_eq!(status.as_str().parse(), Ok(status));
        }
        assert!("gone".parse::<Status>().is_err());
    }
}
