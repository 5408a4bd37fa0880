//! The addresses of a subnet that is asked for as a whole.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::domain::{AddressError, BindableAddress, shown};

/// Most addresses of one request.
const ADDRESSES_MAX: usize = 1_024;

/// The text names no subnet whose addresses can be bound.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubnetError {
    /// It is not a prefix.
    #[error("`{0}` is not a valid subnet such as 10.0.48.8/29 or 2001:db8::10/124")]
    NotASubnet(String),
    /// Bits behind the prefix are set.
    #[error(
        "`{text}` is an address within a subnet: for this address alone write `ip_address` {ip}; the subnet is {subnet}"
    )]
    HostBits {
        /// As it was written.
        text: String,
        /// The address without the prefix.
        ip: IpAddr,
        /// The subnet it is in.
        subnet: IpNet,
    },
    /// It has too many addresses.
    #[error("{0} has more than {ADDRESSES_MAX} addresses: ask for smaller subnets")]
    TooLarge(IpNet),
    /// One of its addresses cannot be bound.
    #[error(transparent)]
    Address(#[from] AddressError),
}

/// The addresses of a subnet that hosts may have: of IPv4 without that of the net and the broadcast address, but both of
/// a /31 (RFC 3021); of IPv6 without the routers' anycast address (RFC 4291 section 2.6.1), but both of a /127 (RFC 6164).
///
/// # Errors
/// [`SubnetError`].
pub fn addresses_of(text: &str) -> Result<Vec<BindableAddress>, SubnetError> {
    let net: IpNet = text.parse().map_err(|_| SubnetError::NotASubnet(shown(text).into_owned()))?;
    if net.trunc() != net {
        return Err(SubnetError::HostBits { text: shown(text).into_owned(), ip: net.addr(), subnet: net.trunc() });
    }
    let anycast = matches!(net, IpNet::V6(v6) if v6.prefix_len() < 127).then(|| net.network());
    let hosts: Vec<IpAddr> = net.hosts().filter(|ip| Some(*ip) != anycast).take(ADDRESSES_MAX + 1).collect();
    if hosts.len() > ADDRESSES_MAX {
        return Err(SubnetError::TooLarge(net));
    }
    Ok(hosts.into_iter().map(BindableAddress::try_from).collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts_of(text: &str) -> Result<String, String> {
        let addresses = addresses_of(text).map_err(|error| error.to_string())?;
        Ok(addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn a_subnet_is_its_hosts() {
        assert_eq!(hosts_of("10.0.48.8/30").as_deref(), Ok("10.0.48.9 10.0.48.10"));
        assert_eq!(hosts_of("10.0.48.8/31").as_deref(), Ok("10.0.48.8 10.0.48.9"));
        assert_eq!(hosts_of("10.0.48.8/32").as_deref(), Ok("10.0.48.8"));
        assert_eq!(addresses_of("10.0.48.0/22").map(|all| all.len()), Ok(1_022));
    }

    #[test]
    fn a_subnet_of_ipv6_is_its_hosts() {
        assert_eq!(hosts_of("2001:DB8::8/126").as_deref(), Ok("2001:db8::9 2001:db8::a 2001:db8::b"));
        assert_eq!(hosts_of("2001:db8::8/127").as_deref(), Ok("2001:db8::8 2001:db8::9"));
        assert_eq!(hosts_of("2001:db8::8/128").as_deref(), Ok("2001:db8::8"));
        assert_eq!(addresses_of("2001:db8::/118").map(|all| all.len()), Ok(1_023));
    }

    #[test]
    fn what_is_no_subnet_is_named_with_what_would_be() {
        let refusal = |text| hosts_of(text).expect_err("refused");
        assert!(refusal("10.0.48.9/29").ends_with("write `ip_address` 10.0.48.9; the subnet is 10.0.48.8/29"));
        assert!(refusal("2001:db8::9/126").ends_with("write `ip_address` 2001:db8::9; the subnet is 2001:db8::8/126"));
        assert!(refusal("10.0.48.0/33").contains("is not a valid subnet"));
        assert!(refusal("10.0.48.8").contains("is not a valid subnet"));
        assert!(refusal("2001:db8::/129\n").starts_with("`2001:db8::/129\\n` is not"));
        assert!(refusal("10.0.0.0/8").contains("more than 1024"));
        assert!(refusal("2001:db8::/117").contains("more than 1024"));
        assert!(refusal("2001:db8::/64").contains("2001:db8::/64 has more than 1024"));
        assert!(refusal("127.0.0.0/30").contains("127.0.0.1"));
        assert!(refusal("fe80::/126").contains("link-local"));
    }
}
