//! Adoption: which bindings that stand on the switches become rows, and why others cannot.
//!
//! Pure. [`adopt`] takes what was seen and what is known, as the audit does, and answers with rows to be made, each
//! complete over all ports of its server, and with a reason for each binding that cannot be taken over.

mod index;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::Serialize;

use super::audit::{BoundPort, Records, SwitchContents};
use super::{BindableAddress, InterfaceName, Mac, SwitchName, VlanName};
use index::Index;

/// A row to be made of bindings that stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Adoptable {
    /// The server that has the ports.
    pub server_id: i64,
    /// The address.
    pub ip_address: BindableAddress,
    /// The MAC bound to it; it need not be one that vmacd would draw.
    pub mac_address: Mac,
    /// The VLAN that it stands in on every port, where the switch says.
    pub vlan_name: Option<VlanName>,
    /// The ports, as the switches name them.
    pub ports: Vec<FoundPort>,
}

/// A port that holds a binding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FoundPort {
    /// The switch.
    pub switch: SwitchName,
    /// The interface in the form the switch uses.
    pub interface: InterfaceName,
}

/// Why a binding cannot be taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Obstacle {
    /// The port is in no server's inventory.
    NoServer,
    /// The port is in the inventory of several servers.
    SeveralServers,
    /// It is in the configuration and not in force.
    Inactive,
    /// It comes from a configuration group, and cannot be changed at the port.
    Inherited,
    /// Its VLAN has a name that cannot be written back.
    UnusableName,
    /// The address is a server's primary address.
    PrimaryAddress,
    /// The MAC is not a unicast address.
    NotUnicast,
    /// The MAC is another server's physical MAC.
    PxeMac,
    /// A live row for the address says something else.
    OtherRow,
    /// The MAC stands, or stood, for another address.
    MacElsewhere,
    /// The address is bound on another port too, which is not the server's.
    AddressElsewhere,
    /// Other ports of the server lack the binding, or hold another.
    PortsDiffer,
    /// Other ports of the server are on switches that were not looked at.
    PortsNotSeen,
    /// Somebody took the address or the MAC meanwhile.
    TakenMeanwhile,
}

impl Obstacle {
    /// As it is told.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoServer => "no_server",
            Self::SeveralServers => "several_servers",
            Self::Inactive => "inactive",
            Self::Inherited => "inherited",
            Self::UnusableName => "unusable_name",
            Self::PrimaryAddress => "primary_address",
            Self::NotUnicast => "not_unicast",
            Self::PxeMac => "pxe_mac",
            Self::OtherRow => "other_row",
            Self::MacElsewhere => "mac_elsewhere",
            Self::AddressElsewhere => "address_elsewhere",
            Self::PortsDiffer => "ports_differ",
            Self::PortsNotSeen => "ports_not_seen",
            Self::TakenMeanwhile => "taken_meanwhile",
        }
    }
}

/// A binding that cannot be taken over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// Where it stands.
    #[serde(flatten)]
    pub place: BoundPort,
    /// Why.
    pub reason: Obstacle,
    /// The sentence for people.
    pub text: String,
}

/// What an adoption comes to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Adoption {
    /// Rows to be made.
    pub adoptable: Vec<Adoptable>,
    /// Bindings that are rows already.
    pub ours: Vec<BoundPort>,
    /// Bindings of servers' own MACs on their ports: no virtual MACs.
    pub physical: usize,
    /// What cannot be taken over.
    pub refused: Vec<Refused>,
}

/// What one binding is.
enum Class {
    Physical,
    Ours,
    Refused(Obstacle, String),
    /// Nothing speaks against it but what other ports of that server hold.
    Candidate(i64),
}

/// Finds out what of the bindings seen can be taken over. Whatever order they come in, the answer is the same.
pub fn adopt(seen: &[SwitchContents], known: &Records) -> Adoption {
    let index = Index::of(seen, known);
    let mut adoption = Adoption::default();
    let mut groups: BTreeMap<(i64, BindableAddress), Vec<BoundPort>> = BTreeMap::new();
    for bound in index.bound() {
        let place = bound.place();
        match index.classify(bound) {
            Class::Physical => adoption.physical += 1,
            Class::Ours => adoption.ours.push(place),
            Class::Refused(reason, text) => adoption.refused.push(Refused { place, reason, text }),
            Class::Candidate(server_id) => groups.entry((server_id, bound.binding.ip)).or_default().push(place),
        }
    }
    for ((server_id, ip), places) in groups {
        match index.whole(server_id, ip) {
            Ok(adoptable) => adoption.adoptable.push(adoptable),
            Err((reason, text)) => {
                let refused = |place| Refused { place, reason, text: text.clone() };
                adoption.refused.extend(places.into_iter().map(refused));
            }
        }
    }
    adoption.ours.sort();
    adoption.refused.sort_by(|a, b| (&a.place, a.reason).cmp(&(&b.place, b.reason)));
    adoption
}
