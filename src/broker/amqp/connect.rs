//! Opening connections: to any node of the cluster, to the next at once when one cannot be used.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use lapin::{AsyncTcpStream, Connection, ConnectionProperties, ErrorKind};
use tokio::time::Instant;

use super::in_hand::Flow;
use super::socket::{self, ShorteningRuntime, Socket};
use super::target::{AmqpTarget, Node};
use super::{AmqpError, bounded};
use crate::broker::error::BrokerError;
use crate::domain::ServiceUrl;

/// Of a client certificate that cannot be used.
const UNUSABLE_IDENTITY: &str = "amqp.cert_file cannot be used; is amqp.key_passphrase right?";

/// Opens a connection within the time limit.
pub(super) async fn connect(target: &AmqpTarget, timeout: Duration) -> Result<Connection, BrokerError> {
    connect_reading(target, timeout, None).await.map(|(connection, _)| connection)
}

/// The same, with nothing read while `flow` is full, and with the node's URL. The nodes share the time that is left: one
/// that swallows packets leaves some to the others.
///
/// # Errors
/// That of the last node, unless another one refused: that does not pass by itself.
pub(super) async fn connect_reading(
    target: &AmqpTarget,
    timeout: Duration,
    flow: Option<Arc<Flow>>,
) -> Result<(Connection, ServiceUrl), BrokerError> {
    let (deadline, mut nodes, mut problem) = (Instant::now() + timeout, target.in_turn(), None);
    let others = nodes.len() > 1;
    while let Some(node) = nodes.next() {
        let left = deadline.saturating_duration_since(Instant::now());
        let share = left / u32::try_from(nodes.len() + 1).unwrap_or(u32::MAX);
        match bounded("connect", share, open(target, node, flow.clone())).await {
            Ok(connection) => {
                node.works();
                return Ok((connection, node.url.clone()));
            }
            Err(error) => {
                if others {
                    node.failed(&error);
                }
                problem = Some(more_telling(problem, error));
            }
        }
    }
    Err(problem.unwrap_or_else(|| super::failed("connect", unreadable())))
}

fn more_telling(before: Option<BrokerError>, error: BrokerError) -> BrokerError {
    before.filter(|before| before.is_refusal() && !error.is_refusal()).unwrap_or(error)
}

async fn open(target: &AmqpTarget, node: &Node, flow: Option<Arc<Flow>>) -> Result<Connection, AmqpError> {
    let uri = target.uri(node).ok_or_else(unreadable)?;
    let tls = target.tls();
    let open = async move |uri, _: ShorteningRuntime| {
        let socket = Socket::connect(uri, &tls, flow.clone()).await;
        socket.map(AsyncTcpStream::Plain).map_err(|error| with_identity(error, tls.identity.is_some()))
    };
    Connection::connector(uri, socket::runtime(), open, ConnectionProperties::default()).await
}

/// Of a PKCS#12 file that cannot be opened the error does not say what it is about.
fn with_identity(error: io::Error, has_identity: bool) -> AmqpError {
    let error = match error.kind() {
        io::ErrorKind::Other if has_identity => io::Error::other(format!("{UNUSABLE_IDENTITY}: {error}")),
        _ => error,
    };
    ErrorKind::IOError(Arc::new(error)).into()
}

/// Without what the parser says: it may repeat the URL.
fn unreadable() -> AmqpError {
    let error = io::Error::other("amqp.url cannot be read; is its password percent-encoded?");
    ErrorKind::IOError(Arc::new(error)).into()
}

/// Which certificate is at fault, the client's or RabbitMQ's, by what TLS says; none where neither is. RabbitMQ refuses the
/// client's by an alert.
pub(super) fn certificate_error(said: String) -> Option<BrokerError> {
    const ALERTS: [&str; 3] = ["Certificate", "UnknownCA", "AccessDenied"];
    let is_alert = said.contains("received fatal alert") && ALERTS.iter().any(|alert| said.contains(alert));
    if is_alert || said.contains(UNUSABLE_IDENTITY) || said.contains("keys may not be consistent") {
        return Some(BrokerError::ClientCertificate { said });
    }
    said.contains("certificate").then_some(BrokerError::Certificate { said })
}

/// Closes a connection in order, if that is quick.
pub(super) async fn close(connection: &Connection) {
    let _ = tokio::time::timeout(Duration::from_secs(2), connection.close(200, "done".into())).await;
}
