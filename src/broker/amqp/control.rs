//! Exchanges and queues: declared, bound, counted, deleted. Each request has a channel of its own, because a refusal
//! ends its channel.

use std::sync::Arc;
use std::time::Duration;

use lapin::options::{
    ExchangeDeclareOptions, ExchangeDeleteOptions, QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Connection, ExchangeKind};

use super::in_hand::InHand;
use super::{AmqpError, bounded};
use crate::broker::error::BrokerError;

/// The code of a refusal: the login may not.
const DENIED: u16 = 403;
/// The code of a refusal: there is none of that name.
const NOT_FOUND: u16 = 404;
/// The code of a refusal: another connection owns it.
const LOCKED: u16 = 405;
/// The code of a refusal: it exists with other arguments.
const INEQUIVALENT: u16 = 406;

/// Requests over one connection.
pub(super) struct Control<'a> {
    pub connection: &'a Connection,
    pub timeout: Duration,
    /// What bounds the reading from this connection.
    pub in_hand: Option<Arc<InHand>>,
}

/// What a queue holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Depth {
    /// Messages ready to be delivered.
    pub messages: u32,
    /// Consumers, those included that only hold messages unacknowledged.
    pub consumers: u32,
}

impl Control<'_> {
    async fn ask<T, F>(&self, what: &'static str, request: impl FnOnce(Channel) -> F) -> Result<T, BrokerError>
    where
        F: Future<Output = Result<T, AmqpError>>,
    {
        let _reading = self.in_hand.as_ref().map(InHand::reading);
        let channel = bounded("open a channel", self.timeout, self.connection.create_channel()).await?;
        bounded(what, self.timeout, request(channel)).await
    }

    pub async fn declare_exchange(&self, name: &str, kind: ExchangeKind) -> Result<(), BrokerError> {
        let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        let declare =
            async |channel: Channel| channel.exchange_declare(name.into(), kind, options, FieldTable::default()).await;
        self.ask("declare an exchange", declare).await
    }

    /// Whether there is an exchange of that name, of whatever kind.
    pub async fn has_exchange(&self, name: &str) -> Result<bool, BrokerError> {
        let options = ExchangeDeclareOptions { passive: true, ..ExchangeDeclareOptions::default() };
        let ask = async |channel: Channel| {
            let declared = channel.exchange_declare(name.into(), ExchangeKind::Topic, options, FieldTable::default());
            declared.await
        };
        match self.ask("find an exchange", ask).await {
            Ok(()) => Ok(true),
            Err(error) if is_refused(&error, NOT_FOUND, name) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Declares a quorum queue.
    pub async fn declare_queue(&self, name: &str, arguments: &[(&str, AMQPValue)]) -> Result<(), BrokerError> {
        self.declare_of_type(name, "quorum", arguments).await
    }

    /// Declares a stream.
    pub async fn declare_stream(&self, name: &str, arguments: &[(&str, AMQPValue)]) -> Result<(), BrokerError> {
        self.declare_of_type(name, "stream", arguments).await
    }

    async fn declare_of_type(
        &self,
        name: &str,
        queue_type: &str,
        arguments: &[(&str, AMQPValue)],
    ) -> Result<(), BrokerError> {
        let mut table = FieldTable::default();
        table.insert("x-queue-type".into(), text(queue_type));
        for (key, value) in arguments {
            table.insert((*key).into(), value.clone());
        }
        let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        let declare = async |channel: Channel| channel.queue_declare(name.into(), options, table).await;
        self.ask("declare a queue", declare).await.map(|_| ())
    }

    pub async fn bind(&self, queue: &str, exchange: &str, routing_key: &str) -> Result<(), BrokerError> {
        let options = QueueBindOptions::default();
        let bind = async |channel: Channel| {
            channel.queue_bind(queue.into(), exchange.into(), routing_key.into(), options, FieldTable::default()).await
        };
        self.ask("bind a queue", bind).await
    }

    /// Nothing happens where it is not bound.
    pub async fn unbind(&self, queue: &str, exchange: &str, routing_key: &str) -> Result<(), BrokerError> {
        let unbind = async |channel: Channel| {
            channel.queue_unbind(queue.into(), exchange.into(), routing_key.into(), FieldTable::default()).await
        };
        self.ask("unbind a queue", unbind).await
    }

    /// What the queue holds; none where there is no such queue.
    pub async fn depth(&self, queue: &str) -> Result<Option<Depth>, BrokerError> {
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let count = async |channel: Channel| channel.queue_declare(queue.into(), options, FieldTable::default()).await;
        match self.ask("count a queue's messages", count).await {
            Ok(queue) => Ok(Some(Depth { messages: queue.message_count(), consumers: queue.consumer_count() })),
            Err(error) if is_refused(&error, NOT_FOUND, queue) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Deletes the queue with what it holds; nothing happens where there is none. (Quorum queues refuse to be deleted only
    /// if they are empty.)
    pub async fn delete_queue(&self, queue: &str) -> Result<(), BrokerError> {
        let delete = async |channel: Channel| channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await;
        let messages = self.ask("delete a queue", delete).await?;
        if messages > 0 {
            tracing::error!(queue, messages, "a queue was deleted while messages arrived in it; they are lost");
        }
        Ok(())
    }

    /// Nothing happens where there is none.
    pub async fn delete_exchange(&self, exchange: &str) -> Result<(), BrokerError> {
        let options = ExchangeDeleteOptions::default();
        let delete = async |channel: Channel| channel.exchange_delete(exchange.into(), options).await;
        self.ask("delete an exchange", delete).await
    }

    /// Takes the lock of this name for as long as the connection lasts; false where another connection has it. It is a
    /// queue that belongs to its connection.
    pub async fn lock(&self, name: &str) -> Result<bool, BrokerError> {
        let options = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
        let lock = async |channel: Channel| channel.queue_declare(name.into(), options, FieldTable::default()).await;
        match self.ask("lock a queue", lock).await {
            Ok(_) => Ok(true),
            Err(error) if is_refused(&error, LOCKED, name) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// True where a queue exists with other arguments.
pub(super) fn is_inequivalent(error: &BrokerError, queue: &str) -> bool {
    is_refused(error, INEQUIVALENT, queue)
}

/// True where the login may not do this with any of these.
pub(super) fn is_denied(error: &BrokerError, names: &[&str]) -> bool {
    names.iter().any(|name| is_refused(error, DENIED, name))
}

/// The refusal must name the queue or exchange: lapin sometimes answers a new channel with what ended another one before.
fn is_refused(error: &BrokerError, expected: u16, name: &str) -> bool {
    matches!(error, BrokerError::Refused { code, said, .. } if *code == expected && said.contains(&format!("'{name}'")))
}

pub(super) fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(value.into())
}
