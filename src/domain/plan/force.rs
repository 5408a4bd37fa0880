//! What stands in a configuration without being in force, and what comes from elsewhere than where it is shown.

use std::fmt;

use super::PresentBinding;
use crate::domain::{Code, Failure, InterfaceName, VlanName};

/// What makes a statement inactive: Junos keeps such statements and ignores them, with all that stands under them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Inactive {
    /// The binding's own statement.
    Itself,
    /// A statement above it, by its path.
    Under(String),
}

impl fmt::Display for Inactive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Itself => f.write_str("it is inactive"),
            Self::Under(path) => write!(f, "`{path}` is inactive"),
        }
    }
}

/// An inactive statement that bindings of some ports would stand under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inactivity {
    /// Its path.
    pub path: String,
    /// The port it is about; none for all.
    pub interface: Option<InterfaceName>,
    /// The VLAN it is about; none for all.
    pub vlan: Option<VlanName>,
    /// The ELS group it is about; none for all.
    pub group: Option<String>,
}

impl Inactivity {
    /// True when a binding at that place would stand under it.
    pub fn covers(&self, interface: &InterfaceName, vlan: &VlanName, group: Option<&str>) -> bool {
        self.interface.as_ref().is_none_or(|its| its.same_interface(interface))
            && self.vlan.as_ref().is_none_or(|its| its == vlan)
            && self.group.as_deref().is_none_or(|its| Some(its) == group)
    }
}

impl PresentBinding {
    /// False for what the switch keeps and ignores.
    pub const fn is_active(&self) -> bool {
        self.inactive.is_none()
    }
}

/// Why nothing is bound under an inactive statement.
pub(super) fn inactive(path: &str, interface: &InterfaceName) -> Failure {
    let text = format!(
        "`{path}` is inactive on the switch, so that a binding on {interface} would not be in force: activate it (`activate \
         {path}`) or remove it, then replay this"
    );
    Failure::new(Code::InactiveStatement, text)
}

/// Why a binding from a configuration group is left as it is.
pub(super) fn inherited(held: &PresentBinding, group: &str) -> Failure {
    let PresentBinding { interface, ip, mac, .. } = held;
    let text = format!(
        "{ip} is bound to {mac} on {interface} by the configuration group {group} (`apply-groups`), which cannot be changed at \
         the port: take the binding out of that group, or the group off the port, then replay this"
    );
    Failure::new(Code::InheritedBinding, text)
}
