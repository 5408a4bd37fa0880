//! One type over both brokers.

use std::time::Duration;

use super::amqp::{AmqpBroker, AmqpConsumer, AmqpTarget, Archive};
use super::delivery::{Batch, Receipt};
use super::embedded::{EmbeddedBroker, EmbeddedConsumer};
use super::error::BrokerError;
use super::message::{EventMessage, Message};
use super::topology::{COMMANDS, QueueKind, Topology};
use crate::store::Store;

/// How the broker is reached.
#[derive(Clone)]
pub struct BrokerSettings {
    /// RabbitMQ; none for the embedded queue.
    pub amqp: Option<AmqpTarget>,
    /// Put before every name.
    pub namespace: String,
    /// Longest time for one request.
    pub rpc_timeout: Duration,
    /// The shortest and the longest delay of the earlier version's retry queues, as its settings had them: these queues are
    /// emptied and deleted.
    pub former_delays: (Duration, Duration),
    /// How long the archive keeps a command; zero for no archive.
    pub archive_age: Duration,
}

/// The broker. Cheap to clone.
#[derive(Clone)]
pub enum Broker {
    /// RabbitMQ.
    Amqp(AmqpBroker),
    /// A table of the store.
    Embedded(EmbeddedBroker),
}

/// How much a consumer may hold unsettled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prefetch {
    /// Messages.
    pub messages: u16,
    /// Bytes: from so many on no further message is taken. The last one may exceed it.
    pub bytes: usize,
}

/// A consumer of one queue. It survives the broker's restarts by itself.
pub enum Consumer {
    /// Of RabbitMQ.
    Amqp(AmqpConsumer),
    /// Of the embedded queue.
    Embedded(EmbeddedConsumer),
}

macro_rules! either {
    ($self:expr, $type:ident, $inner:ident => $call:expr) => {
        match $self {
            $type::Amqp($inner) => $call,
            $type::Embedded($inner) => $call,
        }
    };
}

impl Broker {
    /// Connects, and declares every exchange and queue. Queues of the earlier version are left to the consumer that replaces
    /// them.
    ///
    /// # Errors
    /// [`BrokerError`] when RabbitMQ cannot be reached or has a queue of the same name that is declared otherwise.
    pub async fn connect(settings: BrokerSettings, store: &Store) -> Result<Self, BrokerError> {
        let topology = Topology::new(&settings.namespace, settings.former_delays);
        Ok(match settings.amqp {
            Some(target) => {
                let (timeout, age) = (settings.rpc_timeout, settings.archive_age);
                Self::Amqp(AmqpBroker::connect(target, topology, timeout, age).await?)
            }
            None => Self::Embedded(EmbeddedBroker::new(store.clone(), topology)),
        })
    }

    /// Consumes a queue, with at most `prefetch` of deliveries unsettled.
    ///
    /// # Errors
    /// When the broker refuses.
    pub async fn consume(&self, kind: QueueKind, prefetch: Prefetch) -> Result<Consumer, BrokerError> {
        Ok(match self {
            Self::Amqp(broker) => Consumer::Amqp(broker.consume(kind, prefetch)),
            Self::Embedded(broker) => Consumer::Embedded(broker.consume(kind, prefetch)),
        })
    }

    /// Acknowledges a batch and, of the same session, all that came before it. A receipt whose session is gone is passed over:
    /// its messages come again. No error where the claim of the embedded queue was removed already.
    ///
    /// # Errors
    /// When the embedded queue's database fails.
    pub async fn ack(&self, receipt: Receipt) -> Result<(), BrokerError> {
        either!(self, Self, broker => broker.ack(receipt).await)
    }

    /// Publishes commands, durable once this returns.
    ///
    /// # Errors
    /// When the broker did not take them all.
    pub async fn publish_commands(&self, messages: &[Message]) -> Result<(), BrokerError> {
        either!(self, Self, broker => broker.publish_commands(messages).await)
    }

    /// Publishes one command.
    ///
    /// # Errors
    /// As [`Self::publish_commands`].
    pub async fn publish_command(&self, message: Message) -> Result<(), BrokerError> {
        self.publish_commands(&[message]).await
    }

    /// Publishes events. With the embedded queue nobody subscribes but readers of the table `events`, where
    /// they stand already, so there is nothing to do.
    ///
    /// # Errors
    /// When the broker did not take them all.
    pub async fn publish_events(&self, events: Vec<EventMessage>) -> Result<(), BrokerError> {
        match self {
            Self::Amqp(broker) => broker.publish_events(&events).await,
            Self::Embedded(_) => Ok(()),
        }
    }

    /// The archive of commands; none where there is none, as with the embedded queue.
    ///
    /// # Errors
    /// When RabbitMQ does not answer.
    pub async fn archive(&self) -> Result<Option<Archive>, BrokerError> {
        match self {
            Self::Amqp(broker) => broker.archive().await,
            Self::Embedded(_) => Ok(None),
        }
    }

    /// The messages ready in each queue that is consumed from, by its name.
    ///
    /// # Errors
    /// When the broker does not answer.
    pub async fn depths(&self) -> Result<Vec<(String, i64)>, BrokerError> {
        either!(self, Self, broker => broker.depths().await)
    }

    /// The messages ready in the queue of commands.
    ///
    /// # Errors
    /// As [`Self::depths`].
    pub async fn commands_waiting(&self) -> Result<i64, BrokerError> {
        let depths = self.depths().await?;
        Ok(depths.into_iter().find(|(queue, _)| queue.ends_with(COMMANDS)).map_or(0, |(_, depth)| depth))
    }

    /// How often the queue of commands was gone and was made anew since the start: what was published meanwhile is in the
    /// archive alone.
    pub fn queues_made(&self) -> u64 {
        match self {
            Self::Amqp(broker) => broker.queues_made(),
            Self::Embedded(_) => 0,
        }
    }

    /// True while every consumer has its connection.
    pub fn is_connected(&self) -> bool {
        match self {
            Self::Amqp(broker) => broker.is_connected(),
            Self::Embedded(_) => true,
        }
    }

    /// Ends every connection; what is not settled comes again.
    pub async fn close(&self) {
        match self {
            Self::Amqp(broker) => broker.close().await,
            Self::Embedded(_) => {}
        }
    }
}

impl Consumer {
    /// The next messages in their order, at most `max` and all of one session: waits for the first and, where it is not alone,
    /// for what comes within `linger`. Acknowledge a batch before the next one. None after the broker was closed.
    /// Cancelling it loses nothing: what it holds comes with the next call.
    pub async fn next_batch(&mut self, max: usize, linger: Duration) -> Option<Batch> {
        either!(self, Self, consumer => consumer.next_batch(max, linger).await)
    }

    /// Ends the session; whatever is not acknowledged goes back to the head of the queue. So acknowledge what is done before.
    pub async fn stop(self) {
        either!(self, Self, consumer => consumer.stop().await);
    }
}
