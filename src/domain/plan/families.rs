//! Which families of addresses a dialect can bind.

use super::Wish;
use crate::domain::{Code, Desired, Dialect, Failure};

/// Why a switch of this dialect can never hold what the wish wants; none where it can. What is to be gone is not there.
///
/// The non-ELS `static-ip` takes IPv4 alone, and its hierarchy has no statement for IPv6 (schema of 12.1X47; JNPR
/// "static-ip").
pub fn unsupported(wish: &Wish, dialect: Dialect, switch: &str) -> Option<Failure> {
    let impossible = wish.ip.is_v6() && wish.desired == Desired::Bound && dialect == Dialect::NonEls;
    impossible.then(|| {
        let text = format!(
            "{switch} uses the dialect {}, which cannot bind IPv6 addresses such as {}; use an ELS switch for them, or set \
             `dialect` in the inventory if {switch} is one",
            dialect.as_str(),
            wish.ip
        );
        Failure::new(Code::Ipv6Unsupported, text)
    })
}
