//! What a row remembers of each switch port that it belongs on.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::evidence::Evidence;
use crate::domain::in_force::InForce;
use crate::domain::{Desired, InterfaceName, Mac, SwitchName, VlanName};

/// Where the binding on one port stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BindingState {
    /// A change is wanted that the switch does not hold yet.
    Pending,
    /// The virtual MAC is bound, read back from the switch.
    Bound,
    /// Revoked: the address is bound to the server's PXE MAC again.
    Restored,
    /// Revoked: the address has no binding (the PXE MAC stands for another address of the port, or
    /// the binding was already gone or is somebody else's).
    Removed,
    /// The change failed for good; `error` says why.
    Failed,
}

impl std::fmt::Display for BindingState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Pending => "pending",
            Self::Bound => "bound",
            Self::Restored => "restored",
            Self::Removed => "removed",
            Self::Failed => "failed",
        })
    }
}

/// One entry of the column `switch_bindings`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SwitchBinding {
    /// The switch by its inventory name.
    pub switch: SwitchName,
    /// The server whose port it is; the row's where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i64")]
    pub server_id: Option<i64>,
    /// The address goes from this port, or is gone, while it stays on others.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub leaving: bool,
    /// The port; the form found on the switch once one was found there, else the inventory's.
    pub interface: InterfaceName,
    /// The VLAN the binding stands in, once known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "VlanName")]
    pub vlan: Option<VlanName>,
    /// The MAC that vmacd last bound here, or the one to be bound where there is none yet: the virtual MAC; while a rotation is
    /// not done, the one before it; after a revoke that restored, the PXE MAC.
    pub mac: Mac,
    /// Where it stands.
    pub state: BindingState,
    /// The MAC that was bound to the address before vmacd changed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Mac")]
    pub previous_mac: Option<Mac>,
    /// The configuration backup taken before the last change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i64")]
    pub backup_id: Option<i64>,
    /// The push that made the last change; it also stands in the switch's commit log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub push_id: Option<String>,
    /// The last failure on this port, cleared by success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub error: Option<String>,
    /// Which tables of the switch showed the binding, and when; empty if none did or the switch was not asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<Evidence>,
    /// Whether the binding is in force, as far as the switch was asked since it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "InForce")]
    pub in_force: Option<InForce>,
    /// When this entry last changed, UTC.
    pub at: DateTime<Utc>,
}

impl SwitchBinding {
    /// What is wanted of this port, where its row wants `desired`.
    pub const fn wants(&self, desired: Desired) -> Desired {
        if self.leaving { Desired::Unbound } else { desired }
    }

    /// True when the port is where its row, which wants `desired`, wants it.
    pub fn is_met(&self, desired: Desired) -> bool {
        self.wants(desired).is_met_by(self.state)
    }

    /// True when it is this port.
    pub fn is_at(&self, switch: &SwitchName, interface: &InterfaceName) -> bool {
        self.switch == *switch && self.interface.same_interface(interface)
    }
}
