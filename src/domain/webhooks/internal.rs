//! Which addresses are internal: a webhook must not reach them unless a setting allows it, because whoever may add a webhook
//! could otherwise have vmacd ask services that trust whoever is inside (server-side request forgery).
//!
//! The nets are those of IANA's registries of special-purpose addresses that are not globally reachable
//! (<https://www.iana.org/assignments/iana-ipv4-special-registry>, <https://www.iana.org/assignments/iana-ipv6-special-registry>),
//! with multicast and what is reserved.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// The address is internal, and no setting allows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} is an internal address. Allow it with `webhooks.internal`.")]
pub struct InternalAddress(pub IpAddr);

/// The internal nets that webhooks may reach.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowedNets(Vec<IpNet>);

impl AllowedNets {
    /// The nets of these texts: `10.1.0.0/16`, or one address.
    ///
    /// # Errors
    /// The first text that is neither.
    pub fn of(texts: &[String]) -> Result<Self, String> {
        let net = |text: &String| {
            let address = IpAddr::from_str(text.trim()).map(IpNet::from);
            text.trim().parse().or(address).map_err(|_| text.clone())
        };
        texts.iter().map(net).collect::<Result<_, _>>().map(Self)
    }

    /// Whether an address may be connected to.
    ///
    /// # Errors
    /// [`InternalAddress`].
    pub fn check(&self, ip: IpAddr) -> Result<(), InternalAddress> {
        let ip = meant(ip);
        let may = !is_internal(ip) || self.0.iter().any(|net| net.contains(&ip));
        may.then_some(()).ok_or(InternalAddress(ip))
    }
}

const V4: [Ipv4Net; 15] = [
    v4([0, 0, 0, 0], 8),
    v4([10, 0, 0, 0], 8),
    v4([100, 64, 0, 0], 10),
    v4([127, 0, 0, 0], 8),
    v4([169, 254, 0, 0], 16),
    v4([172, 16, 0, 0], 12),
    v4([192, 0, 0, 0], 24),
    v4([192, 0, 2, 0], 24),
    v4([192, 88, 99, 0], 24),
    v4([192, 168, 0, 0], 16),
    v4([198, 18, 0, 0], 15),
    v4([198, 51, 100, 0], 24),
    v4([203, 0, 113, 0], 24),
    v4([224, 0, 0, 0], 4),
    v4([240, 0, 0, 0], 4),
];

/// What is internal within [`GLOBAL`]: 2001::/23 has Teredo, benchmarks and identifiers; 2002::/16 leads to IPv4 addresses.
const V6: [Ipv6Net; 4] = [v6(0x2001, 0, 23), v6(0x2001, 0xdb8, 32), v6(0x2002, 0, 16), v6(0x3fff, 0, 20)];

/// All that is handed out as global unicast (RFC 4291 section 2.4).
const GLOBAL: Ipv6Net = v6(0x2000, 0, 3);

const fn v4(octets: [u8; 4], bits: u8) -> Ipv4Net {
    let [a, b, c, d] = octets;
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), bits)
}

const fn v6(first: u16, second: u16, bits: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(first, second, 0, 0, 0, 0, 0, 0), bits)
}

/// The IPv4 address that an IPv6 one stands for: mapped (`::ffff:10.0.0.8`), or by a translator (`64:ff9b::10.0.0.8`, RFC 6052).
fn meant(ip: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = ip else { return ip };
    let [a, b, c, d] = [v6.octets()[12], v6.octets()[13], v6.octets()[14], v6.octets()[15]];
    match v6.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, _, _] => Ipv4Addr::new(a, b, c, d).into(),
        _ => v6.to_canonical(),
    }
}

fn is_internal(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => V4.iter().any(|net| net.contains(&ip)),
        IpAddr::V6(ip) => !GLOBAL.contains(&ip) || V6.iter().any(|net| net.contains(&ip)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn what_is_not_reachable_from_everywhere_is_internal() {
        for text in [
            "0.0.0.0",
            "10.0.0.8",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.1.2.3",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::10.0.0.8",
            "::ffff:10.0.0.8",
            "::ffff:127.0.0.1",
            "64:ff9b::10.0.0.8",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:2::1",
            "2001:db8::1",
            "2002:a00:8::1",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(AllowedNets::default().check(ip(text)).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_reachable_from_everywhere_is_not() {
        for text in [
            "1.1.1.1",
            "100.63.255.255",
            "100.128.0.1",
            "172.32.0.1",
            "198.20.0.1",
            "2600::1",
            "2a00:1450::1",
            "64:ff9b::1.1.1.1",
            "::ffff:1.1.1.1",
        ] {
            assert_eq!(AllowedNets::default().check(ip(text)), Ok(()), "{text}");
        }
    }

    #[test]
    fn a_setting_allows_nets_and_the_refusal_names_it() {
        let allowed = AllowedNets::of(&["10.0.0.0/24".to_owned(), "::1".to_owned()]).expect("nets");
        for text in ["10.0.0.8", "::ffff:10.0.0.8", "::1"] {
            assert_eq!(allowed.check(ip(text)), Ok(()), "{text}");
        }
        let refused = allowed.check(ip("::ffff:10.0.1.8")).expect_err("refused").to_string();
        assert_eq!(refused, "10.0.1.8 is an internal address. Allow it with `webhooks.internal`.");
        assert_eq!(AllowedNets::of(&["10.0.0.0/33".to_owned()]), Err("10.0.0.0/33".to_owned()));
    }
}
