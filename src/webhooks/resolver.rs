//! Names resolved, and every address that they have checked: the connection goes to the very addresses that were checked, because
//! a name may lead elsewhere the next time.

use std::net::SocketAddr;
use std::time::Duration;

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use crate::domain::{AllowedNets, InternalAddress, WebhookUrl};

/// Longest time to resolve a name when a webhook is added.
const LOOKUP_MAX: Duration = Duration::from_secs(5);

/// Why a URL cannot be a webhook's.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// One of its addresses is internal.
    #[error(transparent)]
    Internal(#[from] InternalAddress),
    /// Its name has no address.
    #[error("the name of the host cannot be resolved: {0}")]
    Unresolved(String),
}

/// Whether events may be sent to that host, as far as can be said now; each attempt checks again.
///
/// # Errors
/// [`TargetError`].
pub async fn check_target(url: &WebhookUrl, allowed: &AllowedNets) -> Result<(), TargetError> {
    if let Some(ip) = url.ip() {
        return Ok(allowed.check(ip)?);
    }
    let lookup = tokio::time::timeout(LOOKUP_MAX, tokio::net::lookup_host(url.place())).await;
    let timeout = |_| TargetError::Unresolved(format!("no answer within {} s", LOOKUP_MAX.as_secs()));
    let found = lookup.map_err(timeout)?.map_err(|error| TargetError::Unresolved(error.to_string()))?;
    let found: Vec<SocketAddr> = found.collect();
    if found.is_empty() {
        return Err(TargetError::Unresolved("it has no address".to_owned()));
    }
    Ok(check_all(&found, allowed)?)
}

/// One internal address among several is enough: which of them is connected to would be the name's choice.
fn check_all(addresses: &[SocketAddr], allowed: &AllowedNets) -> Result<(), InternalAddress> {
    addresses.iter().try_for_each(|address| allowed.check(address.ip()))
}

/// Resolves as ureq does, and gives no address away that was not checked.
#[derive(Debug)]
pub(super) struct CheckedResolver {
    pub allowed: AllowedNets,
}

impl Resolver for CheckedResolver {
    fn resolve(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = DefaultResolver::default().resolve(uri, config, timeout)?;
        check_all(&found, &self.allowed).map_err(|internal| ureq::Error::Other(Box::new(internal)))?;
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn check(url: &str, allowed: &[&str]) -> Result<(), String> {
        let allowed: Vec<String> = allowed.iter().map(|net| (*net).to_owned()).collect();
        let url = url.parse().expect("a URL");
        check_target(&url, &AllowedNets::of(&allowed).expect("nets")).await.map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn a_name_is_as_internal_as_its_addresses() {
        let refused = check("http://localhost/", &[]).await.expect_err("refused");
        assert!(refused.contains("is an internal address. Allow it with `webhooks.internal`."), "{refused}");
        assert_eq!(check("http://localhost/", &["127.0.0.0/8", "::1"]).await, Ok(()));
        let unknown = check("http://nothing.invalid/", &[]).await.expect_err("no such name");
        assert!(unknown.starts_with("the name of the host cannot be resolved"), "{unknown}");
    }

    #[test]
    fn one_internal_address_among_several_refuses_all() {
        let addresses = ["1.1.1.1:443", "10.0.0.8:443"].map(|text| text.parse().expect("an address"));
        assert_eq!(check_all(&addresses, &AllowedNets::default()), Err(InternalAddress([10, 0, 0, 8].into())));
        assert_eq!(check_all(&addresses[..1], &AllowedNets::default()), Ok(()));
    }
}
