//! RabbitMQ through lapin, in its plain mode: whatever breaks, the whole session is built anew here.
//!
//! Publishing and consuming have connections of their own, so that acknowledgements still flow while the
//! broker blocks publishers (memory alarm). Every request has a deadline; one that passes costs the
//! connection, because the broker may be stuck on it. lapin's own recovery is not used: it stays silent
//! through an outage and can leave a channel waiting for ever.

mod consumer;
mod control;
mod declare;
mod frames;
mod in_hand;
mod publisher;
mod reader;
mod session;
mod short_strings;
mod socket;
mod upgrade;
mod wire;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::maybe_done;
use futures_util::poll;
use lapin::tcp::OwnedTLSConfig;
use lapin::uri::AMQPUri;
use lapin::{AsyncTcpStream, Connection, ConnectionProperties, ErrorKind};
use tokio_util::sync::CancellationToken;

use super::backend::Prefetch;
use super::delivery::{Proof, Receipt};
use super::error::BrokerError;
use super::message::{EventMessage, Message};
use super::topology::{QueueKind, Topology};
use control::Control;
use in_hand::Flow;
use publisher::{Parcel, Publisher};
use socket::{ShorteningRuntime, Socket};

pub use consumer::AmqpConsumer;
pub(super) use in_hand::Share;
pub(super) use session::Session;

/// Seconds between heartbeats unless the URL says otherwise. RabbitMQ looks once in each such time and closes a connection that
/// was silent at two looks, thus within 18 s. RabbitMQ's own default of 60 would leave a consumer deaf for two minutes.
const HEARTBEAT_S: u16 = 6;

/// An error of RabbitMQ's client.
pub type AmqpError = lapin::Error;

/// Where RabbitMQ is. Never prints its password.
#[derive(Clone)]
pub struct AmqpTarget {
    /// `amqp://` or `amqps://`.
    pub url: String,
    /// Certificates in PEM form, trusted beside the system's.
    pub ca: Option<String>,
}

/// RabbitMQ.
#[derive(Clone)]
pub struct AmqpBroker {
    shared: Arc<Shared>,
}

struct Shared {
    target: AmqpTarget,
    topology: Topology,
    rpc_timeout: Duration,
    publisher: Publisher,
    /// Consumers without a connection.
    consumers_down: AtomicUsize,
    closing: CancellationToken,
}

impl AmqpBroker {
    /// Connects once, to declare everything and to find out whether it works at all.
    pub(super) async fn connect(
        target: AmqpTarget,
        topology: Topology,
        rpc_timeout: Duration,
    ) -> Result<Self, BrokerError> {
        let connection = connect(&target, rpc_timeout).await?;
        let control = Control { connection: &connection, timeout: rpc_timeout, in_hand: None };
        declare::declare(&control, &topology).await?;
        close(&connection).await;
        let publisher = Publisher::new(target.clone(), rpc_timeout);
        let closing = CancellationToken::new();
        let consumers_down = AtomicUsize::new(0);
        Ok(Self { shared: Arc::new(Shared { target, topology, rpc_timeout, publisher, consumers_down, closing }) })
    }

    pub(super) fn consume(&self, kind: QueueKind, prefetch: Prefetch) -> AmqpConsumer {
        AmqpConsumer::start(self.shared.clone(), kind, prefetch)
    }

    pub(super) async fn ack(&self, receipt: Receipt) -> Result<(), BrokerError> {
        if let Proof::Amqp { session, last, .. } = &receipt.0 {
            session.ack(*last).await;
        }
        Ok(())
    }

    pub(super) async fn publish_commands(&self, messages: &[Message]) -> Result<(), BrokerError> {
        let exchange = self.shared.topology.commands();
        let parcels = messages.iter().map(|message| wire::command(&exchange, message)).collect();
        self.shared.publisher.publish(parcels).await
    }

    pub(super) async fn publish_events(&self, events: &[EventMessage]) -> Result<(), BrokerError> {
        let exchange = self.shared.topology.events();
        let parcels: Vec<Parcel<'_>> = events.iter().map(|event| wire::event(&exchange, event)).collect();
        self.shared.publisher.publish(parcels).await
    }

    /// On a connection of its own: asking must not disturb those that work.
    pub(super) async fn depths(&self) -> Result<Vec<(String, i64)>, BrokerError> {
        let shared = &self.shared;
        let connection = connect(&shared.target, shared.rpc_timeout).await?;
        let depths = self.depths_over(&connection).await;
        close(&connection).await;
        depths
    }

    async fn depths_over(&self, connection: &Connection) -> Result<Vec<(String, i64)>, BrokerError> {
        let control = Control { connection, timeout: self.shared.rpc_timeout, in_hand: None };
        let mut depths = Vec::new();
        for kind in [QueueKind::Commands, QueueKind::Dead] {
            let queue = self.shared.topology.queue(kind);
            let depth = control.depth(&queue).await?;
            depths.extend(depth.map(|depth| (queue, i64::from(depth.messages))));
        }
        Ok(depths)
    }

    pub(super) fn is_connected(&self) -> bool {
        self.shared.consumers_down.load(Ordering::Relaxed) == 0
    }

    pub(super) async fn close(&self) {
        self.shared.closing.cancel();
        self.shared.publisher.close().await;
    }
}

/// Opens a connection within the time limit.
async fn connect(target: &AmqpTarget, timeout: Duration) -> Result<Connection, BrokerError> {
    connect_reading(target, timeout, None).await
}

/// The same, with nothing read while `flow` is full.
async fn connect_reading(
    target: &AmqpTarget,
    timeout: Duration,
    flow: Option<Arc<Flow>>,
) -> Result<Connection, BrokerError> {
    let work = async {
        // What the parser says may repeat the URL.
        let unreadable = |_: String| std::io::Error::other("amqp.url cannot be read; is its password percent-encoded?");
        let mut uri: AMQPUri = target
            .url
            .parse()
            .map_err(|problem| lapin::Error::from(lapin::ErrorKind::IOError(Arc::new(unreadable(problem)))))?;
        uri.query.heartbeat.get_or_insert(HEARTBEAT_S);
        let tls = OwnedTLSConfig { cert_chain: target.ca.clone(), ..OwnedTLSConfig::default() };
        let io = |error| lapin::Error::from(ErrorKind::IOError(Arc::new(error)));
        let open = async move |uri: AMQPUri, _: ShorteningRuntime| {
            Socket::connect(uri, &tls, flow.clone()).await.map(AsyncTcpStream::Plain).map_err(io)
        };
        Connection::connector(uri, socket::runtime(), open, ConnectionProperties::default()).await
    };
    bounded("connect", timeout, work).await
}

/// Closes a connection in order, if that is quick.
async fn close(connection: &Connection) {
    let _ = tokio::time::timeout(Duration::from_secs(2), connection.close(200, "done".into())).await;
}

/// Begins them in their order and waits for all. The client writes to the socket in a thread of its own, and what waits for
/// it then in one go; one request after another would be a write and two changes of threads for each.
async fn together<F: Future>(requests: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut begun: Vec<_> = requests.map(|request| Box::pin(maybe_done(request))).collect();
    for request in &mut begun {
        let _ = poll!(request);
    }
    for request in &mut begun {
        request.await;
    }
    begun.iter_mut().filter_map(|request| request.as_mut().take_output()).collect()
}

async fn bounded<T>(
    what: &'static str,
    timeout: Duration,
    work: impl Future<Output = Result<T, lapin::Error>>,
) -> Result<T, BrokerError> {
    match tokio::time::timeout(timeout, work).await {
        Ok(result) => result.map_err(|source| failed(what, source)),
        Err(_) => Err(BrokerError::Timeout { what, after_ms: timeout.as_millis() }),
    }
}

/// What RabbitMQ refuses by these codes stays refused until somebody changes something; the other codes tell of trouble.
const REFUSALS: [u16; 5] = [403, 404, 405, 406, 530];

fn failed(what: &'static str, source: lapin::Error) -> BrokerError {
    match source.kind() {
        ErrorKind::ProtocolError(refusal) if REFUSALS.contains(&refusal.get_id()) => {
            BrokerError::Refused { what, code: refusal.get_id(), said: refusal.get_message().to_string() }
        }
        ErrorKind::IOError(error) if error.to_string().contains("certificate") => {
            BrokerError::Certificate { said: error.to_string() }
        }
        _ => BrokerError::Amqp { what, source: Arc::new(source) },
    }
}
