//! The queues and exchanges as the earlier version declared them.

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Connection, ExchangeKind};

use crate::support::Rabbit;

/// The broker of an earlier version.
pub struct Former {
    namespace: String,
    connection: Connection,
    pub channel: Channel,
}

fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(value.into())
}

impl Former {
    /// Only the exchanges.
    pub async fn new() -> Self {
        let (connection, channel) = Rabbit::shared().channel().await;
        let former = Self { namespace: Rabbit::namespace(), connection, channel };
        former.exchange("vmac.commands", ExchangeKind::Topic).await;
        former.exchange("vmac.events", ExchangeKind::Topic).await;
        former.exchange("vmac.dead", ExchangeKind::Fanout).await;
        former
    }

    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    pub fn name(&self, plain: &str) -> String {
        format!("{}{plain}", self.namespace)
    }

    /// Another channel, as another process would have.
    pub async fn another_channel(&self) -> Channel {
        self.connection.create_channel().await.expect("a channel")
    }

    pub async fn exchange(&self, plain: &str, kind: ExchangeKind) {
        let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        let name = self.name(plain);
        let declared = self.channel.exchange_declare(name.as_str().into(), kind, options, FieldTable::default());
        declared.await.expect("an exchange");
    }

    pub async fn queue(&self, plain: &str, arguments: &[(&str, AMQPValue)]) {
        let mut table = FieldTable::default();
        table.insert("x-queue-type".into(), text("quorum"));
        for (name, value) in arguments {
            table.insert((*name).into(), value.clone());
        }
        let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        let name = self.name(plain);
        self.channel.queue_declare(name.as_str().into(), options, table).await.expect("a queue");
    }

    pub async fn bind(&self, queue: &str, exchange: &str, routing_key: &str) {
        let (queue, exchange) = (self.name(queue), self.name(exchange));
        let (queue, exchange) = (queue.as_str().into(), exchange.as_str().into());
        let options = QueueBindOptions::default();
        self.channel
            .queue_bind(queue, exchange, routing_key.into(), options, FieldTable::default())
            .await
            .expect("bound");
    }

    fn work(&self) -> Vec<(&'static str, AMQPValue)> {
        vec![
            ("x-dead-letter-exchange", text(&self.name("vmac.dead"))),
            ("x-dead-letter-strategy", text("at-least-once")),
            ("x-overflow", text("reject-publish")),
            ("x-delivery-limit", AMQPValue::LongLongInt(100)),
        ]
    }

    /// The queue of commands of the earlier version, not bound.
    pub async fn commands(&self) {
        self.queue("vmac.commands", &self.work()).await;
    }

    /// The queue of commands that replaces it, not bound.
    pub async fn commands_of_now(&self) {
        let mut arguments = self.work();
        arguments.push(("x-single-active-consumer", AMQPValue::Boolean(true)));
        arguments.push(("x-consumer-disconnected-timeout", AMQPValue::LongLongInt(1_000)));
        self.queue("vmac.commands", &arguments).await;
    }

    /// The queue that receives messages meanwhile, not bound.
    pub async fn moving(&self) {
        let mut arguments = self.work();
        arguments.push(("x-consumer-disconnected-timeout", AMQPValue::LongLongInt(1_000)));
        self.queue("vmac.commands.moving", &arguments).await;
    }

    /// The queue of dead letters of the earlier version.
    pub async fn dead(&self) {
        self.queue("vmac.dead", &[]).await;
        self.bind("vmac.dead", "vmac.dead", "").await;
    }

    /// A retry queue with its exchange; returns their name.
    pub async fn retry(&self, delay_ms: i64) -> String {
        let name = format!("vmac.retry.{delay_ms}");
        let arguments = [
            ("x-message-ttl", AMQPValue::LongLongInt(delay_ms)),
            ("x-dead-letter-exchange", text(&self.name("vmac.commands"))),
            ("x-dead-letter-strategy", text("at-least-once")),
            ("x-overflow", text("reject-publish")),
        ];
        self.exchange(&name, ExchangeKind::Fanout).await;
        self.queue(&name, &arguments).await;
        self.bind(&name, &name, "").await;
        name
    }

    /// Everything that the earlier version declared.
    pub async fn everything(&self) {
        self.dead().await;
        self.commands().await;
        self.bind("vmac.commands", "vmac.commands", "#").await;
        for delay_ms in [300, 600, 700, 1_000, 900_000] {
            self.retry(delay_ms).await;
        }
    }

    /// Messages ready in a queue; none where there is no such queue.
    pub async fn messages(&self, queue: &str) -> Option<u32> {
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        // A refusal ends the channel.
        let ((_connection, channel), name) = (Rabbit::shared().channel().await, self.name(queue));
        let asked = channel.queue_declare(name.as_str().into(), options, FieldTable::default()).await;
        asked.ok().map(|queue| queue.message_count())
    }

    pub async fn has_exchange(&self, exchange: &str) -> bool {
        let options = ExchangeDeclareOptions { passive: true, ..ExchangeDeclareOptions::default() };
        let ((_connection, channel), name) = (Rabbit::shared().channel().await, self.name(exchange));
        channel
            .exchange_declare(name.as_str().into(), ExchangeKind::Fanout, options, FieldTable::default())
            .await
            .is_ok()
    }

    /// What is left of the earlier version and of replacing its queue of commands.
    pub async fn leftovers_of_commands(&self) -> Vec<String> {
        let mut left = Vec::new();
        let retries = [300, 600, 700, 1_000, 900_000].map(|delay_ms| format!("vmac.retry.{delay_ms}"));
        for exchange in &retries {
            left.extend(self.has_exchange(exchange).await.then(|| format!("exchange {exchange}")));
        }
        let moving = ["vmac.commands.moving", "vmac.commands.mover"].map(str::to_owned);
        for queue in retries.into_iter().chain(moving) {
            left.extend(self.messages(&queue).await.map(|messages| format!("queue {queue} with {messages}")));
        }
        left
    }
}
