//! The addresses of a subnet that is asked for as a whole.

use ipnet::Ipv4Net;

use super::{AddressError, BindableAddress, shown};

/// Most addresses of one request.
const ADDRESSES_MAX: usize = 1_024;

/// The text names no subnet whose addresses can be bound.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubnetError {
    /// It is no prefix.
    #[error("`{0}` is no IPv4 subnet such as 10.0.48.8/29")]
    NotASubnet(String),
    /// Bits behind the prefix are set.
    #[error("`{text}` is an address within its subnet: write {subnet}, or the address alone")]
    HostBits {
        /// As it was written.
        text: String,
        /// The subnet it is in.
        subnet: Ipv4Net,
    },
    /// It has too many addresses.
    #[error("{0} has more than {ADDRESSES_MAX} addresses: ask for smaller subnets")]
    TooLarge(Ipv4Net),
    /// One of its addresses cannot be bound.
    #[error(transparent)]
    Address(#[from] AddressError),
}

/// The addresses of a subnet, without that of the net and the broadcast address; both addresses of a /31 (RFC 3021).
///
/// # Errors
/// [`SubnetError`].
pub fn addresses_of(text: &str) -> Result<Vec<BindableAddress>, SubnetError> {
    let net: Ipv4Net = text.parse().map_err(|_| SubnetError::NotASubnet(shown(text).into_owned()))?;
    if net.trunc() != net {
        return Err(SubnetError::HostBits { text: shown(text).into_owned(), subnet: net.trunc() });
    }
    let hosts: Vec<_> = net.hosts().take(ADDRESSES_MAX + 1).collect();
    if hosts.len() > ADDRESSES_MAX {
        return Err(SubnetError::TooLarge(net));
    }
    Ok(hosts.into_iter().map(BindableAddress::try_from).collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Result<String, String> {
        let addresses = addresses_of(text).map_err(|error| error.to_string())?;
        Ok(addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn a_subnet_is_its_hosts() {
        assert_eq!(told("10.0.48.8/30").as_deref(), Ok("10.0.48.9 10.0.48.10"));
        assert_eq!(told("10.0.48.8/31").as_deref(), Ok("10.0.48.8 10.0.48.9"));
        assert_eq!(told("10.0.48.8/32").as_deref(), Ok("10.0.48.8"));
        assert_eq!(addresses_of("10.0.48.0/22").map(|all| all.len()), Ok(1_022));
    }

    #[test]
    fn what_is_no_subnet_is_named_with_what_would_be() {
        let refusal = |text| told(text).expect_err("refused");
        assert!(refusal("10.0.48.9/29").ends_with("write 10.0.48.8/29, or the address alone"));
        assert!(refusal("10.0.48.0/33").contains("no IPv4 subnet"));
        assert!(refusal("2001:db8::/64\n").starts_with("`2001:db8::/64\\n` is no"));
        assert!(refusal("10.0.0.0/8").contains("more than 1024"));
        assert!(refusal("127.0.0.0/30").contains("127.0.0.1"));
    }
}
