//! Exchanges and queues, declared with what correctness needs; limits are left to the broker's policies.
//!
//! Every queue is a quorum queue. A retry queue has one fixed delay, because messages of different delays in
//! one queue wait behind one another; what expires goes back to `vmac.commands` with its own routing key,
//! which is why each rung has a fanout exchange of its own in front. Dead-lettering is at least once, which
//! RabbitMQ does only together with `reject-publish`.

use std::time::Duration;

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Connection, ExchangeKind};

use super::bounded;
use crate::broker::error::BrokerError;
use crate::broker::topology::{DELIVERY_LIMIT, Topology};

/// Declares everything. What is there already must be declared the same.
pub(super) async fn declare(
    connection: &Connection,
    topology: &Topology,
    timeout: Duration,
) -> Result<(), BrokerError> {
    let channel = bounded("open a channel", timeout, connection.create_channel()).await?;
    let declare = Declare { channel, timeout };
    let (commands, events, dead) = (topology.commands(), topology.events(), topology.dead());
    declare.exchange(&commands, ExchangeKind::Topic).await?;
    declare.exchange(&events, ExchangeKind::Topic).await?;
    declare.exchange(&dead, ExchangeKind::Fanout).await?;
    declare.queue(&dead, &[]).await?;
    declare.bind(&dead, "").await?;
    let work = [
        ("x-dead-letter-exchange", text(&dead)),
        ("x-dead-letter-strategy", text("at-least-once")),
        ("x-overflow", text("reject-publish")),
        ("x-delivery-limit", AMQPValue::LongLongInt(DELIVERY_LIMIT)),
    ];
    declare.queue(&commands, &work).await?;
    // Everything: what is no command must end in the dead letters, not nowhere.
    declare.bind(&commands, "#").await?;
    for delay_ms in &topology.rungs_ms {
        declare.rung(&topology.retry(*delay_ms), *delay_ms, &commands).await?;
    }
    Ok(())
}

/// The messages ready in each queue: a passive declaration answers with them.
pub(super) async fn depths(
    connection: &Connection,
    topology: &Topology,
    timeout: Duration,
) -> Result<Vec<(String, i64)>, BrokerError> {
    let channel = bounded("open a channel", timeout, connection.create_channel()).await?;
    let mut depths = Vec::new();
    for name in topology.queues() {
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let asked = channel.queue_declare(name.as_str().into(), options, FieldTable::default());
        let queue = bounded("count a queue's messages", timeout, asked).await?;
        depths.push((name, i64::from(queue.message_count())));
    }
    Ok(depths)
}

struct Declare {
    channel: Channel,
    timeout: Duration,
}

impl Declare {
    async fn rung(&self, name: &str, delay_ms: u64, commands: &str) -> Result<(), BrokerError> {
        let arguments = [
            ("x-message-ttl", AMQPValue::LongLongInt(i64::try_from(delay_ms).unwrap_or(i64::MAX))),
            ("x-dead-letter-exchange", text(commands)),
            ("x-dead-letter-strategy", text("at-least-once")),
            ("x-overflow", text("reject-publish")),
        ];
        self.exchange(name, ExchangeKind::Fanout).await?;
        self.queue(name, &arguments).await?;
        self.bind(name, "").await
    }

    async fn exchange(&self, name: &str, kind: ExchangeKind) -> Result<(), BrokerError> {
        let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        let declared = self.channel.exchange_declare(name.into(), kind, options, FieldTable::default());
        bounded("declare an exchange", self.timeout, declared).await
    }

    async fn queue(&self, name: &str, arguments: &[(&str, AMQPValue)]) -> Result<(), BrokerError> {
        let mut table = FieldTable::default();
        table.insert("x-queue-type".into(), text("quorum"));
        for (key, value) in arguments {
            table.insert((*key).into(), value.clone());
        }
        let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        bounded("declare a queue", self.timeout, self.channel.queue_declare(name.into(), options, table)).await?;
        Ok(())
    }

    /// Binds the queue to the exchange of the same name.
    async fn bind(&self, name: &str, routing_key: &str) -> Result<(), BrokerError> {
        let (options, none) = (QueueBindOptions::default(), FieldTable::default());
        let bound = self.channel.queue_bind(name.into(), name.into(), routing_key.into(), options, none);
        bounded("bind a queue", self.timeout, bound).await
    }
}

fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(value.into())
}
