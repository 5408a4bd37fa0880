//! A pool of MACs, and how one is found in it for an address.

use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use serde::{Deserialize, Serialize};

use crate::domain::{BindableAddress, Mac, PoolName, Prefix, SwitchName, VlanName};

/// How a MAC is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// Drawn under the pool's prefix.
    #[default]
    Random,
    /// `02:00:` and the octets of the IPv4 address: the same address has the same MAC for ever, and can be read from it. An
    /// IPv6 address has more octets than a MAC: for one the MAC is drawn.
    FromAddress,
    /// Drawn; the second octet is the pool's tag.
    Tagged,
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Random => "random",
            Self::FromAddress => "from-address",
            Self::Tagged => "tagged",
        })
    }
}

/// One pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    /// Its name in the settings.
    pub name: PoolName,
    /// How its MACs are found.
    pub strategy: Strategy,
    /// What is drawn is drawn under this; `02` and the tag for a tagged one.
    pub prefix: Prefix,
    /// It serves creates in these VLANs; with `switches`, those that are on one of them too.
    pub vlans: BTreeSet<VlanName>,
    /// It serves creates of servers with a port on one of these.
    pub switches: BTreeSet<SwitchName>,
}

impl Pool {
    /// The MACs that are this pool's.
    pub fn space(&self) -> Prefix {
        match self.strategy {
            Strategy::FromAddress => Prefix::of_addresses(),
            Strategy::Random | Strategy::Tagged => self.prefix.clone(),
        }
    }

    /// The one MAC that the address has by the strategy; none where it is drawn.
    pub fn mac_of(&self, address: BindableAddress) -> Option<Mac> {
        match (self.strategy, address.ip()) {
            (Strategy::FromAddress, IpAddr::V4(ip)) => {
                let [a, b, c, d] = ip.octets();
                Some(Mac::new([0x02, 0x00, a, b, c, d]))
            }
            _ => None,
        }
    }

    /// How well it serves: both lists before VLANs before switches, and the first of the switches before the others. None
    /// where it does not, or only by its name.
    pub(super) fn rank(&self, vlan: Option<&VlanName>, switches: &[SwitchName]) -> Option<(u8, usize)> {
        let in_vlan = !self.vlans.is_empty();
        let on_switch = !self.switches.is_empty();
        if in_vlan && !vlan.is_some_and(|vlan| self.vlans.contains(vlan)) {
            return None;
        }
        let first = if on_switch { switches.iter().position(|name| self.switches.contains(name))? } else { 0 };
        (in_vlan || on_switch).then_some((2 * u8::from(in_vlan) + u8::from(on_switch), usize::MAX - first))
    }
}

impl Mac {
    /// The IPv4 address that a MAC was made from by [`Strategy::FromAddress`].
    pub fn address_in(self) -> Option<Ipv4Addr> {
        let [first, second, ip @ ..] = self.octets();
        ((first, second) == (0x02, 0x00)).then(|| Ipv4Addr::from(ip))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Strategy;
    use super::*;

    fn pool(strategy: Strategy) -> Pool {
        let name = "p".parse().expect("a name");
        Pool { name, strategy, prefix: Prefix::whole(), vlans: BTreeSet::new(), switches: BTreeSet::new() }
    }

    proptest! {
        #[test]
        fn each_address_has_a_mac_of_its_own_and_is_read_back_from_it(first: u32, second: u32) {
            let mac = |ip: u32| {
                let address = BindableAddress::try_from(std::net::IpAddr::V4(Ipv4Addr::from(ip))).ok()?;
                pool(Strategy::FromAddress).mac_of(address)
            };
            if let (Some(one), Some(other)) = (mac(first), mac(second)) {
                prop_assert_eq!(one.address_in(), Some(Ipv4Addr::from(first)));
                prop_assert!(one.as_virtual().is_ok() && !one.is_reserved());
                prop_assert_eq!(one == other, first == second);
            }
        }
    }

    #[test]
    fn other_strategies_draw_and_other_macs_hold_no_address() {
        let ip = "10.0.48.6".parse().expect("an address");
        assert_eq!(pool(Strategy::Random).mac_of(ip), None);
        assert_eq!(pool(Strategy::Tagged).mac_of(ip), None);
        assert_eq!(Mac::new([2, 1, 10, 0, 48, 6]).address_in(), None);
    }
}
