//! The port: one type over both brokers.

use std::time::Duration;

use super::amqp::{AmqpBroker, AmqpConsumer, AmqpTarget};
use super::delivery::{DeadReason, Delivery, Receipt};
use super::embedded::{EmbeddedBroker, EmbeddedConsumer};
use super::error::BrokerError;
use super::message::{EventMessage, Message};
use super::topology::{QueueKind, Topology};
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
    /// Shortest delay of the retry ladder.
    pub delay_min: Duration,
    /// Longest delay of the retry ladder.
    pub delay_max: Duration,
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
    /// Connects, and declares every exchange and queue.
    ///
    /// # Errors
    /// [`BrokerError`] when RabbitMQ cannot be reached or holds a queue of the same name that is declared
    /// otherwise.
    pub async fn connect(settings: BrokerSettings, store: &Store) -> Result<Self, BrokerError> {
        let topology = Topology::new(&settings.namespace, settings.delay_min, settings.delay_max);
        Ok(match settings.amqp {
            Some(target) => Self::Amqp(AmqpBroker::connect(target, topology, settings.rpc_timeout).await?),
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

    /// Settles deliveries as done. A receipt whose session is gone is passed over: its message comes again.
    ///
    /// # Errors
    /// When the embedded queue's database fails.
    pub async fn ack(&self, receipts: Vec<Receipt>) -> Result<(), BrokerError> {
        either!(self, Self, broker => broker.ack(receipts).await)
    }

    /// Hands deliveries back, to be delivered again at once.
    ///
    /// # Errors
    /// When the embedded queue's database fails.
    pub async fn requeue(&self, receipts: Vec<Receipt>) -> Result<(), BrokerError> {
        either!(self, Self, broker => broker.requeue(receipts).await)
    }

    /// Puts messages on the retry ladder in place of their deliveries.
    ///
    /// # Errors
    /// When the broker did not take them; their deliveries are not settled then.
    pub async fn retry(&self, again: &[(Receipt, Message, Duration)]) -> Result<(), BrokerError> {
        either!(self, Self, broker => broker.retry(again).await)
    }

    /// Sends messages to the dead letters in place of their deliveries.
    ///
    /// # Errors
    /// When the broker did not take them; their deliveries are not settled then.
    pub async fn dead(&self, dead: &[(Receipt, Message, DeadReason)]) -> Result<(), BrokerError> {
        either!(self, Self, broker => broker.dead(dead).await)
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

    /// The messages ready in each queue, by its name.
    ///
    /// # Errors
    /// When the broker does not answer.
    pub async fn depths(&self) -> Result<Vec<(String, i64)>, BrokerError> {
        either!(self, Self, broker => broker.depths().await)
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
    /// The next deliveries, at most `max`: waits for the first and, where it is not alone, for what comes within `linger`. None
    /// after the consumer was stopped. Cancelling it loses nothing: what it holds comes with the next call.
    pub async fn next_batch(&mut self, max: usize, linger: Duration) -> Option<Vec<Delivery>> {
        either!(self, Self, consumer => consumer.next_batch(max, linger).await)
    }

    /// Stops consuming; what was not handed out goes back. Receipts in hand stay good.
    pub async fn stop(self) {
        either!(self, Self, consumer => consumer.stop().await);
    }
}
