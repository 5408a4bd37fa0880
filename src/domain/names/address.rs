//! The IP addresses that can be bound.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::domain::shown;

/// An address that a server may hold: an IPv4 or IPv6 unicast address that is its own wherever it is seen.
///
/// It is read in any usual form and has one text: an IPv6 address that of RFC 5952 (lower case, the longest run of zero
/// groups left out), so that two ways to write one address never are two addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct BindableAddress(IpAddr);

/// Why a text is not an address that can be bound.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// The text is no IP address at all.
    #[error("`{}` is not an IP address: expected one such as 10.0.48.6 or 2001:db8::6", shown(.0))]
    Malformed(String),
    /// An address with the length of its net's prefix, as interfaces have it; or a whole subnet.
    #[error("`{text}` has a prefix length: write {ip} for this address alone")]
    WithPrefix {
        /// As it was written.
        text: String,
        /// The address without it.
        ip: IpAddr,
        /// The subnet that it is in.
        subnet: IpNet,
    },
    /// An address that no server can hold.
    #[error("{ip} is not a unicast address that a server can hold: it is {kind}")]
    NotUnicast {
        /// The address.
        ip: IpAddr,
        /// What it is instead.
        kind: &'static str,
    },
    /// RFC 4291 section 2.5.6.
    #[error("{0} is a link-local address: every link has it, so that it names no server")]
    LinkLocal(Ipv6Addr),
    /// RFC 4291 section 2.5.5.2.
    #[error("{mapped} is an IPv4 address written as an IPv6 one: write {ip}")]
    Mapped {
        /// As it was written.
        mapped: Ipv6Addr,
        /// What it stands for.
        ip: Ipv4Addr,
    },
}

impl BindableAddress {
    /// The address itself.
    pub const fn ip(self) -> IpAddr {
        self.0
    }

    /// True for an IPv6 address.
    pub const fn is_v6(self) -> bool {
        self.0.is_ipv6()
    }

    /// True when both are of IPv4, or both of IPv6.
    pub const fn same_family(self, other: Self) -> bool {
        self.is_v6() == other.is_v6()
    }
}

impl FromStr for BindableAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let ip: IpAddr = text.parse().map_err(|_| no_address(text))?;
        Self::try_from(ip)
    }
}

impl TryFrom<IpAddr> for BindableAddress {
    type Error = AddressError;

    fn try_from(ip: IpAddr) -> Result<Self, AddressError> {
        let kind = match ip {
            IpAddr::V4(v4) => unusable_v4(v4),
            IpAddr::V6(v6) => unusable_v6(v6)?,
        };
        kind.map_or(Ok(Self(ip)), |kind| Err(AddressError::NotUnicast { ip, kind }))
    }
}

fn no_address(text: &str) -> AddressError {
    match text.parse::<IpNet>() {
        Ok(net) => AddressError::WithPrefix { text: text.to_owned(), ip: net.addr(), subnet: net.trunc() },
        Err(_) => AddressError::Malformed(text.chars().take(60).collect()),
    }
}

fn unusable_v4(ip: Ipv4Addr) -> Option<&'static str> {
    match ip {
        _ if ip.is_multicast() => Some("multicast"),
        _ if ip.is_loopback() => Some("loopback"),
        _ if ip.is_broadcast() => Some("the broadcast address"),
        _ if ip.octets()[0] == 0 => Some("of \"this network\""),
        _ => None,
    }
}

fn unusable_v6(ip: Ipv6Addr) -> Result<Option<&'static str>, AddressError> {
    match ip {
        _ if ip.is_unicast_link_local() => Err(AddressError::LinkLocal(ip)),
        _ if ip.is_unspecified() => Ok(Some("unspecified")),
        _ if ip.is_loopback() => Ok(Some("loopback")),
        _ if ip.is_multicast() => Ok(Some("multicast")),
        _ => match (ip.to_ipv4_mapped(), ip.octets()[0]) {
            (Some(v4), _) => Err(AddressError::Mapped { mapped: ip, ip: v4 }),
            // IANA's registry "Internet Protocol Version 6 Address Space": 0000::/8.
            (None, 0) => Ok(Some("of 0000::/8, which is reserved")),
            (None, _) => Ok(None),
        },
    }
}

impl TryFrom<String> for BindableAddress {
    type Error = AddressError;

    fn try_from(text: String) -> Result<Self, AddressError> {
        text.parse()
    }
}

impl From<BindableAddress> for String {
    fn from(address: BindableAddress) -> Self {
        address.to_string()
    }
}

impl fmt::Display for BindableAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refusal(text: &str) -> String {
        text.parse::<BindableAddress>().expect_err(text).to_string()
    }

    #[test]
    fn only_unicast_of_a_servers_own_can_be_bound() {
        for text in ["10.0.48.6", "2001:db8::6", "fd00::1", "100::1", "fec0::1"] {
            assert!(text.parse::<BindableAddress>().is_ok(), "{text}");
        }
        for text in ["10.0.48", "10.0.48.6/33", "10.0.48.6/", "2001:db8::6%ge0", "fe80::1%1", "[2001:db8::6]", "x\ny"] {
            assert!(refusal(text).contains("is not an IP address"), "{text:?}");
        }
        for (text, kind) in [
            ("224.0.0.1", "multicast"),
            ("127.0.0.1", "loopback"),
            ("0.0.0.0", "this network"),
            ("255.255.255.255", "broadcast"),
            ("::", "unspecified"),
            ("::1", "loopback"),
            ("ff02::1", "multicast"),
            ("::10.0.48.6", "reserved"),
            ("64:ff9b::a00:3006", "reserved"),
        ] {
            assert!(refusal(text).contains(kind), "{text}");
        }
        assert!(refusal("fe80::6").ends_with("every link has it, so that it names no server"));
        assert!(refusal("febf::6").contains("link-local"));
        assert!(refusal("::ffff:10.0.48.6").ends_with("write 10.0.48.6"));
    }

    #[test]
    fn an_address_with_a_prefix_is_refused_and_the_address_alone_named() {
        for (text, ip) in [
            ("192.0.2.10/31", "192.0.2.10"),
            ("192.0.2.77/24", "192.0.2.77"),
            ("192.0.2.77/32", "192.0.2.77"),
            ("2001:DB8::6/64", "2001:db8::6"),
            ("2001:db8::6/128", "2001:db8::6"),
        ] {
            assert_eq!(refusal(text), format!("`{text}` has a prefix length: write {ip} for this address alone"));
        }
    }

    #[test]
    fn an_ipv6_address_has_one_text() {
        let text = |text: &str| text.parse::<BindableAddress>().expect(text).to_string();
        assert_eq!(text("2001:DB8:0:0:8:800:200C:417A"), "2001:db8::8:800:200c:417a");
        // The examples of RFC 5952, sections 2 and 4.
        assert_eq!(text("2001:0db8:0000:0000:0001:0000:0000:0001"), "2001:db8::1:0:0:1");
        assert_eq!(text("2001:db8::1:1:1:1:1"), "2001:db8:0:1:1:1:1:1");
        assert_eq!(text("2001:db8:0:0:0:0:2:1"), "2001:db8::2:1");
        assert_eq!(text("2001:db8::192.0.2.33"), "2001:db8::c000:221");
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_and_is_written_alike(bits in any::<u128>(), shift in 0_u32..128) {
            let ip = Ipv6Addr::from(bits >> shift << (shift / 2));
            if let Ok(address) = BindableAddress::try_from(IpAddr::V6(ip)) {
                let text = address.to_string();
                for written in [text.clone(), text.to_uppercase()] {
                    prop_assert_eq!(written.parse(), Ok(address), "{}", written);
                }
            }
        }
    }
}
