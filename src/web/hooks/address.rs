//! One address as other systems write it: alone, or with the prefix length of its interface. Pure.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::domain::{Code, Failure, shown};

/// The address without the prefix length or netmask of its interface (`192.0.2.10/24`, NetBox's form). That it can be
/// bound is checked where every command is.
///
/// # Errors
/// A permanent [`Failure`]: it is a whole subnet, not one address.
pub(super) fn one_address(text: &str, pointer: &str) -> Result<String, Failure> {
    let text = text.trim();
    let Some((address, prefix)) = text.split_once('/') else { return Ok(text.to_owned()) };
    let refused = |problem: &str| {
        Failure::new(Code::InvalidAddress, format!("ip_address: `{}` at {pointer} {problem}", shown(text)))
    };
    let address: IpAddr = address.trim().parse().map_err(|_| refused("is not an IP address with a prefix length"))?;
    let net = net(address, prefix.trim()).ok_or_else(|| refused("is not an IP address with a prefix length"))?;
    // No interface has the first address of its net, but both of a /31 or a /127 (RFC 3021, RFC 6164).
    if net.max_prefix_len() - net.prefix_len() > 1 && net.network() == address {
        return Err(refused("is a whole subnet, not one address; map a field with subnets as `subnet`"));
    }
    Ok(address.to_string())
}

fn net(address: IpAddr, prefix: &str) -> Option<IpNet> {
    match prefix.parse::<u8>() {
        Ok(bits) => IpNet::new(address, bits).ok(),
        Err(_) => IpNet::with_netmask(address, prefix.parse().ok()?).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, String> {
        one_address(text, "/ip").map_err(|failure| failure.to_string())
    }

    #[test]
    fn the_prefix_of_the_interface_is_left_out() {
        for (text, expected) in [
            ("192.0.2.10", "192.0.2.10"),
            (" 192.0.2.10 ", "192.0.2.10"),
            ("192.0.2.10/24", "192.0.2.10"),
            ("192.0.2.10/255.255.255.0", "192.0.2.10"),
            ("192.0.2.10/32", "192.0.2.10"),
            // RFC 3021: either address of a /31 is one of a host.
            ("192.0.2.10/31", "192.0.2.10"),
            ("192.0.2.11/31", "192.0.2.11"),
            ("2001:db8::6/64", "2001:db8::6"),
            ("2001:db8::6/127", "2001:db8::6"),
            // For the worker to refuse, in its words.
            ("nowhere", "nowhere"),
        ] {
            assert_eq!(read(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_whole_subnet_is_never_taken_for_one_address() {
        for text in ["192.0.2.8/29", "192.0.2.0/255.255.255.0", "192.0.2.8/30", "2001:db8::/64"] {
            let refusal = read(text).expect_err("refused");
            assert!(refusal.contains(&format!("`{text}` at /ip is a whole subnet")), "{refusal}");
        }
        for text in ["192.0.2.10/33", "192.0.2.10/", "192.0.2.10/24/24", "192.0.2.10/255.0.255.0", "x/24"] {
            let refusal = read(text).expect_err("refused");
            assert!(refusal.starts_with("invalid_address: ip_address: "), "{refusal}");
        }
    }
}
