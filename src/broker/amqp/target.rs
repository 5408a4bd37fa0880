//! Where RabbitMQ is: one node, or those of a cluster.

use std::net::Ipv6Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use lapin::tcp::OwnedTLSConfig;
use lapin::uri::{AMQPUri, SASLMechanism};
use url::{Host, Url};

use super::identity::ClientIdentity;
use crate::broker::error::BrokerError;
use crate::domain::{ServiceUrl, ServiceUrls, chain};

/// Seconds between heartbeats unless the URL says otherwise. RabbitMQ looks once in each such time and closes a connection that
/// was silent at two looks, thus within 18 s. RabbitMQ's own default of 60 would leave a consumer deaf for two minutes.
const HEARTBEAT_S: u16 = 6;

/// Where RabbitMQ is. Never prints a password.
#[derive(Clone)]
pub struct AmqpTarget {
    nodes: Arc<[Node]>,
    tls: AmqpTls,
}

/// What is used for `amqps`.
#[derive(Clone, Default)]
pub struct AmqpTls {
    /// Certificates in PEM form, trusted beside the system's.
    pub ca: Option<String>,
    /// The client's certificate.
    pub identity: Option<ClientIdentity>,
}

/// A node of the cluster by its URL.
pub(super) struct Node {
    pub url: ServiceUrl,
    /// It could not be connected to the last time.
    fails: AtomicBool,
}

impl AmqpTarget {
    /// The nodes of these URLs, `amqp://` or `amqps://`.
    pub fn new(urls: &ServiceUrls, tls: AmqpTls) -> Self {
        let node = |url| Node { url, fails: AtomicBool::new(false) };
        Self { nodes: urls.iter().map(node).collect(), tls }
    }

    /// Every node once, beginning with any: so workers spread over the cluster.
    pub(super) fn in_turn(&self) -> impl ExactSizeIterator<Item = &Node> {
        let count = self.nodes.len();
        let first = if count > 1 { rand::random_range(0..count) } else { 0 };
        (0..count).map(move |step| &self.nodes[(first + step) % count])
    }

    pub(super) fn tls(&self) -> OwnedTLSConfig {
        let identity = self.tls.identity.as_ref().map(ClientIdentity::owned);
        OwnedTLSConfig { cert_chain: self.tls.ca.clone(), identity }
    }

    /// How a node's URL is meant; none where it cannot be read.
    pub(super) fn uri(&self, node: &Node) -> Option<AMQPUri> {
        let mut uri: AMQPUri = node.url.reveal().parse().ok()?;
        uri.query.heartbeat.get_or_insert(HEARTBEAT_S);
        // lapin takes an IPv6 address for no host at all, and goes to localhost.
        if let Some(address) = ipv6_host(node.url.reveal()) {
            uri.authority.host = address.to_string();
        }
        if self.tls.identity.is_some() && !node.url.has_login() {
            uri.query.auth_mechanism.get_or_insert(SASLMechanism::External);
        }
        Some(uri)
    }
}

/// The host of a scheme that the URL standard does not know is opaque, but for its IPv6 addresses.
fn ipv6_host(url: &str) -> Option<Ipv6Addr> {
    match Url::parse(url).ok()?.host()? {
        Host::Ipv6(address) => Some(address),
        Host::Domain(_) | Host::Ipv4(_) => None,
    }
}

impl Node {
    /// Reports, once, that others are used in its place.
    pub fn failed(&self, error: &BrokerError) {
        let (url, problem) = (&self.url, chain(error));
        if self.fails.swap(true, Ordering::Relaxed) {
            tracing::debug!(%url, problem, "this node of RabbitMQ still cannot be used");
        } else {
            tracing::warn!(%url, problem, "this node of RabbitMQ cannot be used; using another");
        }
    }

    /// The opposite.
    pub fn works(&self) {
        if self.fails.swap(false, Ordering::Relaxed) {
            tracing::info!(url = %self.url, "this node of RabbitMQ can be used again");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn target(urls: &str, identity: Option<ClientIdentity>) -> AmqpTarget {
        AmqpTarget::new(&ServiceUrls::new(urls), AmqpTls { ca: None, identity })
    }

    fn certificate() -> Option<ClientIdentity> {
        Some(ClientIdentity::new(vec![0x30], None, "").expect("a PKCS#12 file"))
    }

    #[test]
    fn every_node_comes_once_and_each_may_be_the_first() {
        let target = target("amqp://a,amqp://b,amqp://c", None);
        let turns: BTreeSet<String> = (0..200)
            .map(|_| target.in_turn().map(|node| node.url.to_string().replace("amqp://", "")).collect())
            .collect();
        assert_eq!(turns, ["abc", "bca", "cab"].map(str::to_owned).into());
    }

    #[test]
    fn a_url_is_read_with_what_it_leaves_out() {
        for (url, host, port, vhost, heartbeat) in [
            ("amqp://u:p@mq", "mq", 5672, "/", HEARTBEAT_S),
            ("amqps://u:p@10.0.0.1/v?heartbeat=2", "10.0.0.1", 5671, "v", 2),
            ("amqp://u:p@[2001:db8::1]:7/%2f", "2001:db8::1", 7, "/", HEARTBEAT_S),
        ] {
            let target = target(url, None);
            let uri = target.in_turn().next().and_then(|node| target.uri(node)).expect(url);
            let read = (uri.authority.host.as_str(), uri.authority.port, uri.vhost.as_str(), uri.query.heartbeat);
            assert_eq!(read, (host, port, vhost, Some(heartbeat)), "{url}");
            assert_eq!(uri.query.auth_mechanism, None, "{url}");
        }
    }

    #[test]
    fn a_certificate_logs_in_where_the_url_has_no_login() {
        for (url, identity, mechanism) in [
            ("amqps://mq", certificate(), Some(SASLMechanism::External)),
            ("amqps://u:p@mq", certificate(), None),
            ("amqps://mq?auth_mechanism=plain", certificate(), Some(SASLMechanism::Plain)),
            ("amqps://u:p@mq?auth_mechanism=external", certificate(), Some(SASLMechanism::External)),
            ("amqps://mq", None, None),
        ] {
            let target = target(url, identity);
            let uri = target.in_turn().next().and_then(|node| target.uri(node)).expect(url);
            assert_eq!(uri.query.auth_mechanism, mechanism, "{url}");
        }
    }
}
