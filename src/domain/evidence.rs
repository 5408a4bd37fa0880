//! Evidence: what a switch itself showed of a binding, beside its configuration. Pure. What it is worth says [`super::in_force`].

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BindableAddress, InterfaceName, Mac};

/// A table of a switch that shows what is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum EvidenceTable {
    /// `show dhcp snooping binding` (non-ELS): what ARP inspection and IP source guard go by.
    DhcpSnooping,
    /// `show dhcp-security binding` (ELS): the same there.
    DhcpSecurity,
    /// `show dhcp-security ipv6 binding` (ELS): the same for IPv6.
    #[serde(rename = "dhcpv6-security")]
    DhcpSecurityV6,
    /// `show ip-source-guard`, on ELS `show dhcp-security binding ip-source-guard`: what IP source guard lets through.
    IpSourceGuard,
    /// `show ethernet-switching table`: the server sends from the MAC on the port.
    Learned,
}

impl EvidenceTable {
    /// As it is told.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DhcpSnooping => "dhcp-snooping",
            Self::DhcpSecurity => "dhcp-security",
            Self::DhcpSecurityV6 => "dhcpv6-security",
            Self::IpSourceGuard => "ip-source-guard",
            Self::Learned => "learned",
        }
    }
}

/// That a table showed a binding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// The table.
    pub table: EvidenceTable,
    /// Since when it does, UTC.
    pub at: DateTime<Utc>,
}

/// An entry of a table of bindings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableEntry {
    /// The address.
    pub ip: BindableAddress,
    /// The MAC.
    pub mac: Mac,
    /// The port.
    pub interface: InterfaceName,
}

/// Entries of one table, by their MACs.
#[derive(Debug, Default)]
pub struct TableEntries(HashMap<Mac, Vec<TableEntry>>);

impl TableEntries {
    /// Of these entries.
    pub fn of(entries: Vec<TableEntry>) -> Self {
        let mut by_mac: HashMap<Mac, Vec<TableEntry>> = HashMap::new();
        entries.into_iter().for_each(|entry| by_mac.entry(entry.mac).or_default().push(entry));
        Self(by_mac)
    }

    /// True where there is an entry of the address with the MAC on the port.
    pub fn shows(&self, ip: BindableAddress, mac: Mac, interface: &InterfaceName) -> bool {
        let mut entries = self.0.get(&mac).into_iter().flatten();
        entries.any(|entry| entry.ip == ip && entry.interface.same_interface(interface))
    }
}

/// What is known once these tables were read, each with whether it shows the binding: those that still show it keep their
/// time, and so do those that were not read.
pub fn renewed(known: &[Evidence], read: &BTreeMap<EvidenceTable, bool>, now: DateTime<Utc>) -> Vec<Evidence> {
    let kept = known.iter().filter(|evidence| read.get(&evidence.table) != Some(&false)).cloned();
    let is_new = |table: &EvidenceTable| known.iter().all(|evidence| evidence.table != *table);
    let new = read.iter().filter(|(table, shows)| **shows && is_new(table));
    let mut all: Vec<Evidence> = kept.chain(new.map(|(table, _)| Evidence { table: *table, at: now })).collect();
    all.sort_by_key(|evidence| evidence.table);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_proves_what_it_shows_on_that_port_alone() {
        const MAC: &str = "02:5e:10:00:00:01";
        let port = |text: &str| text.parse::<InterfaceName>().expect("a port");
        let (ip, mac, interface) =
            ("10.0.0.6".parse().expect("an address"), MAC.parse().expect("a MAC"), port("ge-0/0/1.0"));
        let tables = TableEntries::of(vec![TableEntry { ip, mac, interface }]);
        let shows = |ip: &str, mac: &str, on: &str| {
            tables.shows(ip.parse().expect("an address"), mac.parse().expect("a MAC"), &port(on))
        };
        assert!(shows("10.0.0.6", MAC, "ge-0/0/1"));
        assert!(!shows("10.0.0.7", MAC, "ge-0/0/1"), "the table has another address");
        assert!(!shows("10.0.0.6", MAC, "ge-0/0/2.0"));
        assert!(!shows("10.0.0.6", "02:5e:10:00:00:02", "ge-0/0/1"), "another MAC proves nothing");
    }

    #[test]
    fn a_table_keeps_the_time_since_which_it_shows_the_binding_and_goes_once_it_does_not() {
        use EvidenceTable::{DhcpSecurity, DhcpSnooping, IpSourceGuard, Learned};
        let (then, now) = (DateTime::UNIX_EPOCH, DateTime::UNIX_EPOCH + chrono::Duration::seconds(9));
        let known = [DhcpSnooping, DhcpSecurity, Learned].map(|table| Evidence { table, at: then });
        let read = BTreeMap::from([(DhcpSnooping, true), (IpSourceGuard, true), (Learned, false)]);
        let renewed = renewed(&known, &read, now);
        let times: Vec<_> = renewed.iter().map(|evidence| (evidence.table, evidence.at)).collect();
        assert_eq!(times, [(DhcpSnooping, then), (DhcpSecurity, then), (IpSourceGuard, now)]);
    }
}
