//! Exchanges and queues, declared with what correctness needs; limits are left to the broker's policies.
//!
//! Both queues are quorum queues. Their arguments are the same for every version of RabbitMQ, because they cannot be
//! changed later: a version ignores the arguments that it does not know (tried with 3.10.8).
//!
//! - `vmac.commands` has a single active consumer: one worker at a time receives, in order, and the next one when that is
//!   gone. Where its node is lost, RabbitMQ 4.3 waits 60 s unless told otherwise
//!   (<https://www.rabbitmq.com/docs/quorum-queues>), and until then nobody receives, not even the worker that is back over
//!   another node; a worker that was not gone needs no wait, because its turn ends (`fence::take_turn`). Its delivery limit
//!   also keeps the order: with one, what a consumer did not acknowledge returns to the head of the queue.
//! - `vmac.dead` has a limit that is never reached. Without one, RabbitMQ drops what was delivered 20 times since 4.0
//!   (<https://www.rabbitmq.com/docs/quorum-queues#poison-message-handling>); -1 means no limit there, but before 4.0 it
//!   drops a message that is returned once (tried with 3.10.8).
//! - Dead-lettering is at least once, which RabbitMQ does only together with `reject-publish`.
//!
//! `vmac.archive` is a stream, for those who read again what a database has lost; its age is all that is set.
//!
//! A login that may not declare uses what is there as it is: whoever declared it answers for its arguments.

use lapin::ExchangeKind;
use lapin::types::AMQPValue;

use std::sync::Once;
use std::time::Duration;

use super::control::{Control, is_denied, is_inequivalent, text};
use crate::broker::error::BrokerError;
use crate::broker::topology::{DELIVERY_LIMIT, QueueKind, Topology};
use crate::domain::chain;

/// What expires of a stream are whole segments: small ones, so that its age is kept about.
const SEGMENT_BYTES: i64 = 50_000_000;
/// Deliveries of a dead letter: more than will ever be.
const UNLIMITED: i64 = 2_000_000_000;
/// How long RabbitMQ waits for a consumer whose node is lost, milliseconds.
const CONSUMER_DISCONNECTED_TIMEOUT_MS: i64 = 1_000;

type Arguments = Vec<(&'static str, AMQPValue)>;

/// How a queue is declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Declared {
    /// As this version declares it.
    Now,
    /// As the earlier version declared it; it is not bound by this version.
    Formerly,
}

/// Declares everything. A queue of the earlier version is left to the consumer that replaces it. True where the queue of
/// commands was not there: what was published meanwhile is in the archive alone.
pub(super) async fn declare(control: &Control<'_>, topology: &Topology) -> Result<bool, BrokerError> {
    declare_exchange(control, &topology.commands(), ExchangeKind::Topic).await?;
    declare_exchange(control, &topology.events(), ExchangeKind::Topic).await?;
    declare_exchange(control, &topology.dead(), ExchangeKind::Fanout).await?;
    declare_queue(control, topology, QueueKind::Dead).await?;
    let was_missing = matches!(control.depth(&topology.queue(QueueKind::Commands)).await, Ok(None));
    declare_queue(control, topology, QueueKind::Commands).await?;
    Ok(was_missing)
}

async fn declare_exchange(control: &Control<'_>, name: &str, kind: ExchangeKind) -> Result<(), BrokerError> {
    match control.declare_exchange(name, kind).await {
        Err(error) if is_denied(&error, &[name]) => match control.has_exchange(name).await? {
            true => say_used_as_it_is(),
            false => return Err(missing("exchange", name, error)),
        },
        declared => declared?,
    }
    Ok(())
}

fn say_used_as_it_is() {
    static SAID: Once = Once::new();
    SAID.call_once(|| tracing::info!("this login may not declare exchanges and queues: those that are there are used"));
}

fn missing(what: &'static str, name: &str, denied: BrokerError) -> BrokerError {
    match denied {
        BrokerError::Refused { said, .. } => BrokerError::Missing { what, name: name.to_owned(), said },
        other => other,
    }
}

/// Declares and binds a queue, unless it is still the earlier version's.
///
/// # Errors
/// Also where it is declared otherwise than by either version.
pub(super) async fn declare_queue(
    control: &Control<'_>,
    topology: &Topology,
    kind: QueueKind,
) -> Result<Declared, BrokerError> {
    let queue = topology.queue(kind);
    let refused = match control.declare_queue(&queue, &arguments(topology, kind)).await {
        Ok(()) => return bind(control, topology, kind, &queue).await.map(|()| Declared::Now),
        Err(error) if is_inequivalent(&error, &queue) => error,
        // Declaring it needs a right at its dead-letter exchange too.
        Err(error) if is_denied(&error, &[&queue, &topology.dead()]) => {
            return find(control, topology, kind, error).await.map(|()| Declared::Now);
        }
        Err(error) => return Err(error),
    };
    match control.declare_queue(&queue, &former_arguments(topology, kind)).await {
        Ok(()) => return Ok(Declared::Formerly),
        Err(error) if is_inequivalent(&error, &queue) => {}
        Err(error) => return Err(error),
    }
    // It may have been replaced between the two requests.
    control.declare_queue(&queue, &arguments(topology, kind)).await.map_err(|_| refused)?;
    bind(control, topology, kind, &queue).await.map(|()| Declared::Now)
}

/// Finds a queue that the login may not declare, and binds it if the login may.
async fn find(
    control: &Control<'_>,
    topology: &Topology,
    kind: QueueKind,
    denied: BrokerError,
) -> Result<(), BrokerError> {
    let queue = topology.queue(kind);
    if control.depth(&queue).await?.is_none() {
        return Err(missing("queue", &queue, denied));
    }
    say_used_as_it_is();
    match bind(control, topology, kind, &queue).await {
        // Queue and exchange have one name.
        Err(error) if is_denied(&error, &[&queue]) => Ok(()),
        bound => bound,
    }
}

/// Declares the archive and binds it to the exchange of commands, as their queue is. One that is there with other arguments, or
/// that the login may not declare, is used as it is.
pub(super) async fn declare_archive(
    control: &Control<'_>,
    topology: &Topology,
    age: Duration,
) -> Result<(), BrokerError> {
    let (archive, commands) = (topology.archive(), topology.commands());
    let arguments = [
        ("x-max-age", text(&format!("{}s", age.as_secs().max(1)))),
        ("x-stream-max-segment-size-bytes", AMQPValue::LongLongInt(SEGMENT_BYTES)),
    ];
    match control.declare_stream(&archive, &arguments).await {
        Err(error) if is_inequivalent(&error, &archive) => say_archive_is_older(&error),
        Err(error) if is_denied(&error, &[&archive]) && control.depth(&archive).await?.is_none() => {
            return Err(missing("queue", &archive, error));
        }
        Err(error) if !is_denied(&error, &[&archive]) => return Err(error),
        Ok(()) | Err(_) => {}
    }
    match control.bind(&archive, &commands, routing_key(QueueKind::Commands)).await {
        Err(error) if is_denied(&error, &[&archive, &commands]) => Ok(()),
        bound => bound,
    }
}

fn say_archive_is_older(error: &BrokerError) {
    static SAID: Once = Once::new();
    SAID.call_once(|| {
        tracing::warn!(
            error = chain(error),
            "the archive of commands was declared with another age, and keeps it; delete it to have it declared anew"
        );
    });
}

/// Declares and binds the queue that receives messages while the earlier version's is replaced.
pub(super) async fn declare_moving(
    control: &Control<'_>,
    topology: &Topology,
    kind: QueueKind,
) -> Result<(), BrokerError> {
    let moving = topology.moving(kind);
    let mut arguments = arguments(topology, kind);
    // It has one consumer, the one that holds the lock, and must tell whether there is another.
    arguments.retain(|(name, _)| *name != "x-single-active-consumer");
    control.declare_queue(&moving, &arguments).await?;
    bind(control, topology, kind, &moving).await
}

/// Binds to the exchange of the kind.
async fn bind(control: &Control<'_>, topology: &Topology, kind: QueueKind, queue: &str) -> Result<(), BrokerError> {
    control.bind(queue, &topology.queue(kind), routing_key(kind)).await
}

/// The routing key that queues of the kind are bound with.
pub(super) fn routing_key(kind: QueueKind) -> &'static str {
    match kind {
        // Everything: what is not a command must end in the dead letters, not nowhere.
        QueueKind::Commands => "#",
        QueueKind::Dead => "",
    }
}

fn arguments(topology: &Topology, kind: QueueKind) -> Arguments {
    let mut arguments = former_arguments(topology, kind);
    match kind {
        QueueKind::Commands => arguments.extend([
            ("x-single-active-consumer", AMQPValue::Boolean(true)),
            ("x-consumer-disconnected-timeout", AMQPValue::LongLongInt(CONSUMER_DISCONNECTED_TIMEOUT_MS)),
        ]),
        QueueKind::Dead => arguments.push(("x-delivery-limit", AMQPValue::LongLongInt(UNLIMITED))),
    }
    arguments
}

fn former_arguments(topology: &Topology, kind: QueueKind) -> Arguments {
    match kind {
        QueueKind::Commands => vec![
            ("x-dead-letter-exchange", text(&topology.dead())),
            ("x-dead-letter-strategy", text("at-least-once")),
            ("x-overflow", text("reject-publish")),
            ("x-delivery-limit", AMQPValue::LongLongInt(DELIVERY_LIMIT)),
        ],
        QueueKind::Dead => Vec::new(),
    }
}
