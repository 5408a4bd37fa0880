//! One switch or one server of the inventory.

use std::fmt;

use crate::domain::SwitchName;

/// A switch or a server, by its name or number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InventoryItem {
    /// A switch.
    Switch(SwitchName),
    /// A server.
    Server(i64),
}

impl InventoryItem {
    /// `switch` or `server`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Switch(_) => "switch",
            Self::Server(_) => "server",
        }
    }

    /// Its name or number.
    pub fn name(&self) -> String {
        match self {
            Self::Switch(name) => name.to_string(),
            Self::Server(id) => id.to_string(),
        }
    }
}

impl fmt::Display for InventoryItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind(), self.name())
    }
}
