//! RabbitMQ through lapin, in its plain mode: whatever breaks, the whole session is built anew here.
//!
//! Publishing and consuming have connections of their own, so that acknowledgements still flow while the
//! broker blocks publishers (memory alarm). Every request has a deadline; one that passes costs the
//! connection, because the broker may be stuck on it. lapin's own recovery is not used: it stays silent
//! through an outage and can leave a channel waiting for ever.

mod archive;
mod connect;
mod consumer;
mod control;
mod declare;
mod frames;
mod identity;
mod in_hand;
mod publisher;
mod reader;
mod session;
mod short_strings;
mod socket;
mod target;
mod upgrade;
mod wire;

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::maybe_done;
use futures_util::poll;
use lapin::{Connection, ErrorKind};
use tokio_util::sync::CancellationToken;

use super::backend::Prefetch;
use super::delivery::{Proof, Receipt};
use super::error::BrokerError;
use super::message::{EventMessage, Message};
use super::topology::{QueueKind, Topology};
use crate::domain::{Backoff, chain};
use connect::{close, connect, connect_reading};
use control::Control;
use publisher::{Parcel, Publisher};

pub use archive::{Archive, ArchiveReader, ArchiveStart, Archived};
pub use consumer::AmqpConsumer;
pub use identity::{ClientIdentity, IdentityError};
pub(super) use in_hand::Share;
pub(super) use session::Session;
pub use target::{AmqpTarget, AmqpTls};

/// Time before the queues are declared again.
const DECLARE_AGAIN_AFTER: Duration = Duration::from_millis(500);
const DECLARE_ATTEMPTS: u32 = 3;

/// An error of RabbitMQ's client.
pub type AmqpError = lapin::Error;

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
    /// How long the archive keeps a command; zero for no archive.
    archive_age: Duration,
    /// Why commands are not archived, as it was logged last.
    archive_problem: Mutex<Option<String>>,
    /// How often the queue of commands was gone and was made anew since the start.
    queues_made: AtomicU64,
}

impl AmqpBroker {
    /// Connects once, to declare everything and to find out whether it works at all.
    pub(super) async fn connect(
        target: AmqpTarget,
        topology: Topology,
        rpc_timeout: Duration,
        archive_age: Duration,
    ) -> Result<Self, BrokerError> {
        declare_all(&target, &topology, rpc_timeout).await?;
        let publisher = Publisher::new(target.clone(), rpc_timeout);
        let closing = CancellationToken::new();
        let consumers_down = AtomicUsize::new(0);
        let shared = Shared {
            target,
            topology,
            rpc_timeout,
            publisher,
            consumers_down,
            closing,
            archive_age,
            archive_problem: Mutex::default(),
            queues_made: AtomicU64::new(0),
        };
        shared.keep_archive().await;
        Ok(Self { shared: Arc::new(shared) })
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

    pub(super) async fn archive(&self) -> Result<Option<Archive>, BrokerError> {
        self.shared.archive().await
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

    pub(super) fn queues_made(&self) -> u64 {
        self.shared.queues_made.load(Ordering::Relaxed)
    }

    pub(super) fn is_connected(&self) -> bool {
        self.shared.consumers_down.load(Ordering::Relaxed) == 0
    }

    pub(super) async fn close(&self) {
        self.shared.closing.cancel();
        self.shared.publisher.close().await;
    }
}

/// Declares everything. RabbitMQ cannot answer for a queue whose members are electing a leader, which may take some seconds.
async fn declare_all(target: &AmqpTarget, topology: &Topology, timeout: Duration) -> Result<(), BrokerError> {
    let mut backoff = Backoff::new(DECLARE_AGAIN_AFTER);
    for attempt in 1.. {
        let connection = connect(target, timeout).await?;
        let control = Control { connection: &connection, timeout, in_hand: None };
        let declared = declare::declare(&control, topology).await;
        close(&connection).await;
        match declared {
            Err(error) if attempt < DECLARE_ATTEMPTS && !error.is_refusal() => {
                tracing::warn!(problem = chain(&error), "could not declare the queues; trying again");
                tokio::time::sleep(backoff.next_wait()).await;
            }
            declared => return declared.map(drop),
        }
    }
    Ok(())
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

/// A queue whose node is lost, or whose members elect a leader, is answered for by the code of one that is not there
/// (`priv_absent` in RabbitMQ's `rabbit_amqqueue.erl`); of one that is not there, RabbitMQ says "no queue".
const NOT_FOUND: u16 = 404;

fn failed(what: &'static str, source: AmqpError) -> BrokerError {
    let trouble = match source.kind() {
        ErrorKind::ProtocolError(refusal) => refused(what, refusal.get_id(), refusal.get_message().as_str()),
        ErrorKind::IOError(error) => connect::certificate_error(error.to_string()),
        _ => None,
    };
    trouble.unwrap_or_else(|| BrokerError::Amqp { what, source: Arc::new(source) })
}

fn refused(what: &'static str, code: u16, said: &str) -> Option<BrokerError> {
    let is_refusal = REFUSALS.contains(&code) && (code != NOT_FOUND || said.contains(" no "));
    is_refusal.then(|| BrokerError::Refused { what, code, said: said.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_without_a_leader_is_trouble_and_one_that_is_not_there_is_refused() {
        for said in [
            "NOT_FOUND - failed to perform operation on queue 'vmac.commands' in vhost '/' due to timeout",
            "NOT_FOUND - home node 'a@b' of durable queue 'vmac.commands' in vhost '/' is down or inaccessible",
            "NOT_FOUND - queue 'vmac.commands' in vhost '/' process is stopped by supervisor",
        ] {
            assert!(refused("consume", 404, said).is_none(), "{said}");
        }
        assert!(refused("consume", 404, "NOT_FOUND - no queue 'vmac.commands' in vhost '/'").is_some());
        assert!(refused("connect", 530, "NOT_ALLOWED - vhost x not found").is_some());
        assert!(refused("consume", 541, "INTERNAL_ERROR").is_none());
    }
}
