//! The switches and servers that vmacd knows.

mod conflicts;
mod item;

use serde::{Deserialize, Serialize};

pub use conflicts::{InventoryConflict, InventoryPlace, inventory_conflicts, shared_network_cards};
pub use item::InventoryItem;

use super::{BindableAddress, DriftMode, DuplicateChoice, InterfaceName, Mac, SiteName, SwitchName, VlanName};

/// The whole inventory file (`vmacd inventory import FILE`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inventory {
    /// The switches.
    #[serde(default)]
    pub switches: Vec<Switch>,
    /// The servers.
    #[serde(default)]
    pub servers: Vec<Server>,
}

/// One switch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Switch {
    /// Its name, unique.
    pub name: SwitchName,
    /// Host name or address of its management interface.
    pub host: String,
    /// Port of its NETCONF or SSH service, 830 unless told.
    #[serde(default = "port_default")]
    pub port: u16,
    /// The pinned host key as `SHA256:...`; without one the switch is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_key: Option<String>,
    /// Which configuration dialect to speak.
    #[serde(default)]
    pub dialect: DialectChoice,
    /// Where on it one MAC may stand for one address only.
    #[serde(default)]
    pub duplicates: DuplicateChoice,
    /// Which SSH algorithms to offer.
    #[serde(default)]
    pub ssh_profile: SshProfile,
    /// Which credential of the settings to log in with.
    #[serde(default)]
    pub credential: CredentialName,
    /// The site that it stands at; switches without one are a site of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<SiteName>,
    /// What is done about drift on it; where it is not named, what the setting `drift.mode` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<DriftMode>,
}

const fn port_default() -> u16 {
    830
}

/// The name of a credential in the settings; `default` unless told.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CredentialName(pub String);

impl Default for CredentialName {
    fn default() -> Self {
        Self("default".to_owned())
    }
}

impl CredentialName {
    /// True for the login of the settings' section `[ssh]`.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Within a sentence.
    pub fn in_words(&self) -> String {
        if self.is_default() { "the default login".to_owned() } else { format!("the credential `{}`", self.0) }
    }
}

/// How the dialect of a switch is chosen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DialectChoice {
    /// Ask the switch.
    #[default]
    Auto,
    /// Enhanced Layer 2 Software: `vlans … dhcp-security`.
    Els,
    /// The older `ethernet-switching-options secure-access-port`.
    NonEls,
}

/// One of the two configuration dialects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dialect {
    /// `vlans NAME forwarding-options dhcp-security group G interface I static-ip A mac M`.
    Els,
    /// `ethernet-switching-options secure-access-port interface I static-ip A vlan V mac M`.
    NonEls,
}

impl Dialect {
    /// The text used in the database and the inventory.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Els => "els",
            Self::NonEls => "non-els",
        }
    }
}

/// Which SSH algorithms are offered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SshProfile {
    /// Current algorithms only.
    #[default]
    Modern,
    /// Also what Junos 12.3 and 15.1 speak (SHA-1 key exchange, CBC, ssh-rsa).
    Legacy,
}

/// One server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// Its number in the provider's panel.
    pub id: i64,
    /// The physical MAC of its NIC, which a revoke restores.
    pub pxe_mac: Mac,
    /// Its main address, which keeps the PXE MAC and never gets a virtual one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub primary_ip: Option<BindableAddress>,
    /// The VLAN of its addresses, where the inventory knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vlan_name: Option<VlanName>,
    /// The switch ports it is cabled to; a virtual MAC is active when all of them hold it.
    #[serde(default)]
    pub ports: Vec<ServerPort>,
}

/// One port of a server.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerPort {
    /// The switch by name.
    pub switch: SwitchName,
    /// The interface there.
    pub interface: InterfaceName,
}

impl ServerPort {
    /// True when both names mean the same port (unit 0 may be left out).
    pub fn is_same(&self, other: &Self) -> bool {
        self.switch == other.switch && self.interface.same_interface(&other.interface)
    }
}
