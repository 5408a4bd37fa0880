//! RabbitMQ through lapin, in its plain mode: whatever breaks, the whole session is built anew here.
//!
//! Publishing and consuming have connections of their own, so that acknowledgements still flow while the
//! broker blocks publishers (memory alarm). Every request has a deadline; one that passes costs the
//! connection, because the broker may be stuck on it. lapin's own recovery is not used: it stays silent
//! through an outage and can leave a channel waiting for ever.

mod consumer;
mod declare;
mod frames;
mod in_hand;
mod publisher;
mod socket;
mod wire;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::maybe_done;
use futures_util::poll;
use lapin::options::{BasicAckOptions, BasicRejectOptions};
use lapin::tcp::OwnedTLSConfig;
use lapin::uri::AMQPUri;
use lapin::{AsyncTcpStream, Connection, ConnectionProperties, ErrorKind};
use tokio_util::sync::CancellationToken;

use super::delivery::{DeadReason, Proof, Receipt};
use super::error::BrokerError;
use super::message::{EventMessage, Message};
use super::port::Prefetch;
use super::topology::{QueueKind, Topology};
use in_hand::Flow;
use publisher::{Parcel, Publisher};
use socket::{ShorteningRuntime, Socket};

pub use consumer::AmqpConsumer;
pub(super) use in_hand::Share;
pub(super) use lapin::Acker;

/// Seconds between heartbeats unless the URL says otherwise; a peer that is silent for two of them is gone.
/// RabbitMQ's own default of 60 would leave a consumer deaf for two minutes.
const HEARTBEAT_S: u16 = 10;

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
        declare::declare(&connection, &topology, rpc_timeout).await?;
        close(&connection).await;
        let publisher = Publisher::new(target.clone(), rpc_timeout);
        let closing = CancellationToken::new();
        let consumers_down = AtomicUsize::new(0);
        Ok(Self { shared: Arc::new(Shared { target, topology, rpc_timeout, publisher, consumers_down, closing }) })
    }

    pub(super) fn consume(&self, kind: QueueKind, prefetch: Prefetch) -> AmqpConsumer {
        AmqpConsumer::start(self.shared.clone(), kind, prefetch)
    }

    pub(super) async fn ack(&self, receipts: Vec<Receipt>) -> Result<(), BrokerError> {
        // `Ok(false)` and errors alike: the session is gone, the message comes again. One limit for all of them: a
        // socket that takes nothing takes none.
        let ackers: Vec<Acker> = ackers(receipts).collect();
        let work = together(ackers.iter().map(|acker| acker.ack(BasicAckOptions::default())));
        let _ = tokio::time::timeout(self.shared.rpc_timeout, work).await;
        Ok(())
    }

    pub(super) async fn requeue(&self, receipts: Vec<Receipt>) -> Result<(), BrokerError> {
        let _ = tokio::time::timeout(self.shared.rpc_timeout, reject(ackers(receipts))).await;
        Ok(())
    }

    pub(super) async fn retry(&self, again: &[(Receipt, Message, Duration)]) -> Result<(), BrokerError> {
        let topology = &self.shared.topology;
        let parcel = |message, delay| wire::command(&topology.retry(topology.rung_ms(delay)), message, None);
        let parcels = again.iter().map(|(_, message, delay)| parcel(message, *delay)).collect();
        self.shared.publisher.publish(parcels).await?;
        self.ack(again.iter().map(|(receipt, ..)| receipt.clone()).collect()).await
    }

    pub(super) async fn dead(&self, dead: &[(Receipt, Message, DeadReason)]) -> Result<(), BrokerError> {
        let exchange = self.shared.topology.dead();
        let parcel = |message, reason| wire::command(&exchange, message, Some(reason));
        let parcels = dead.iter().map(|(_, message, reason)| parcel(message, reason)).collect();
        self.shared.publisher.publish(parcels).await?;
        self.ack(dead.iter().map(|(receipt, ..)| receipt.clone()).collect()).await
    }

    pub(super) async fn publish_commands(&self, messages: &[Message]) -> Result<(), BrokerError> {
        let exchange = self.shared.topology.commands();
        let parcels = messages.iter().map(|message| wire::command(&exchange, message, None)).collect();
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
        let depths = declare::depths(&connection, &shared.topology, shared.rpc_timeout).await;
        close(&connection).await;
        depths
    }

    pub(super) fn is_connected(&self) -> bool {
        self.shared.consumers_down.load(Ordering::Relaxed) == 0
    }

    pub(super) async fn close(&self) {
        self.shared.closing.cancel();
        self.shared.publisher.close().await;
    }
}

fn ackers(receipts: Vec<Receipt>) -> impl Iterator<Item = Acker> {
    receipts.into_iter().filter_map(|receipt| match receipt.0 {
        Proof::Amqp { acker, .. } => Some(acker),
        Proof::Embedded { .. } => None,
    })
}

/// Hands deliveries back.
async fn reject(ackers: impl Iterator<Item = Acker>) {
    for acker in ackers {
        let _ = acker.reject(BasicRejectOptions { requeue: true }).await;
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
        Ok(result) => result.map_err(|source| BrokerError::Amqp { what, source: Arc::new(source) }),
        Err(_) => Err(BrokerError::Timeout { what, after_ms: timeout.as_millis() }),
    }
}
