//! The IP addresses that can be bound.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::shown;

/// An address that a server may hold: an IPv4 unicast address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct BindableAddress(Ipv4Addr);

/// Why a text is not an address that can be bound.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// The text is no IP address at all.
    #[error("`{}` is not an IP address: expected one such as 10.0.48.6", shown(.0))]
    Malformed(String),
    /// An IPv6 address: the non-ELS dialect cannot bind those.
    #[error("{0} is an IPv6 address; only IPv4 addresses can be bound")]
    Version6(IpAddr),
    /// An address that no server can hold (multicast, loopback, unspecified, broadcast).
    #[error("{0} is not a unicast address that a server can hold")]
    NotUnicast(Ipv4Addr),
}

impl BindableAddress {
    /// The address itself.
    pub const fn ip(self) -> Ipv4Addr {
        self.0
    }
}

impl FromStr for BindableAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        match text.parse::<IpAddr>() {
            Err(_) => Err(AddressError::Malformed(text.chars().take(60).collect())),
            Ok(address @ IpAddr::V6(_)) => Err(AddressError::Version6(address)),
            Ok(IpAddr::V4(ip)) => Self::try_from(ip),
        }
    }
}

impl TryFrom<Ipv4Addr> for BindableAddress {
    type Error = AddressError;

    fn try_from(ip: Ipv4Addr) -> Result<Self, AddressError> {
        let unusable = ip.is_multicast() || ip.is_loopback() || ip.is_broadcast() || ip.octets()[0] == 0;
        if unusable { Err(AddressError::NotUnicast(ip)) } else { Ok(Self(ip)) }
    }
}

impl TryFrom<String> for BindableAddress {
    type Error = AddressError;

    fn try_from(text: String) -> Result<Self, AddressError> {
        text.parse()
    }
}

impl From<BindableAddress> for Ipv4Addr {
    fn from(address: BindableAddress) -> Self {
        address.0
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
    use super::*;

    #[test]
    fn only_ipv4_unicast_can_be_bound() {
        assert!("10.0.48.6".parse::<BindableAddress>().is_ok());
        for text in
            ["10.0.48", "10.0.48.6/24", "2001:db8::6", "224.0.0.1", "127.0.0.1", "0.0.0.0", "255.255.255.255", "x\ny"]
        {
            assert!(text.parse::<BindableAddress>().is_err(), "{text:?}");
        }
    }
}
