//! A broker with a namespace of its own.

use std::time::Duration;

use lapin::options::BasicPublishOptions;
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel};
use serde_json::json;
use sqlx::{Connection, SqliteConnection};
use vmacd::broker::{
    AmqpTarget, AmqpTls, Batch, Broker, BrokerError, BrokerSettings, Consumer, DeadReason, Message, Prefetch, QueueKind,
};
use vmacd::domain::{Code, ServiceUrls};
use vmacd::store::{NewQueueMessage, Store, StoreOptions};

use crate::support::{Rabbit, patience, run_dir, unique};

/// Delays of the earlier version's retry queues, other than the defaults.
const FORMER_DELAYS: (Duration, Duration) = (Duration::from_millis(300), Duration::from_millis(700));

/// RabbitMQ at these URLs, separated by commas, without certificates.
pub fn target(urls: &str) -> AmqpTarget {
    AmqpTarget::new(&ServiceUrls::new(urls), AmqpTls::default())
}

/// A broker under test.
pub struct Bench {
    pub broker: Broker,
    settings: BrokerSettings,
    store: Store,
    file: String,
}

impl Bench {
    pub async fn embedded() -> Self {
        Self::new(None, Rabbit::namespace()).await.expect("the embedded queue")
    }

    pub async fn rabbitmq() -> Self {
        Self::of(Rabbit::shared().url()).await
    }

    /// On the RabbitMQ of this URL.
    pub async fn of(url: &str) -> Self {
        Self::on(target(url)).await.expect("a broker")
    }

    /// On the shared RabbitMQ, with names that may be there already.
    pub async fn within(namespace: &str) -> Self {
        let target = target(Rabbit::shared().url());
        Self::new(Some(target), namespace.to_owned()).await.expect("a broker")
    }

    /// The same by another login.
    pub async fn within_as(target: AmqpTarget, namespace: &str) -> Result<Self, BrokerError> {
        Self::new(Some(target), namespace.to_owned()).await
    }

    /// On this RabbitMQ, which may refuse.
    pub async fn on(target: AmqpTarget) -> Result<Self, BrokerError> {
        Self::new(Some(target), Rabbit::namespace()).await
    }

    async fn new(amqp: Option<AmqpTarget>, namespace: String) -> Result<Self, BrokerError> {
        let file = run_dir().join(unique("queue")).with_extension("db").display().to_string();
        let store = Store::connect(&format!("sqlite://{file}"), StoreOptions::default()).await;
        let store = store.expect("a database");
        store.migrate().await.expect("tables");
        let (rpc_timeout, former_delays) = (Duration::from_secs(10), FORMER_DELAYS);
        let settings =
            BrokerSettings { amqp, namespace, rpc_timeout, former_delays, archive_age: Duration::from_secs(3_600) };
        let broker = Broker::connect(settings.clone(), &store).await?;
        Ok(Self { broker, settings, store, file })
    }

    /// The same queues as another process sees them.
    pub async fn another(&self) -> Broker {
        self.try_another().await.expect("a broker")
    }

    pub async fn try_another(&self) -> Result<Broker, BrokerError> {
        Broker::connect(self.settings.clone(), &self.store).await
    }

    /// The same queues by way of another URL.
    pub async fn another_through(&self, url: &str) -> Broker {
        let amqp = Some(target(url));
        let settings = BrokerSettings { amqp, ..self.settings.clone() };
        Broker::connect(settings, &self.store).await.expect("a broker")
    }

    /// The same queues, for another age of the archive.
    pub async fn another_with_archive_age(&self, archive_age: Duration) -> Broker {
        let settings = BrokerSettings { archive_age, ..self.settings.clone() };
        Broker::connect(settings, &self.store).await.expect("a broker")
    }

    /// The name of a queue or exchange as the broker knows it.
    pub fn name(&self, plain: &str) -> String {
        format!("{}{plain}", self.settings.namespace)
    }

    pub async fn commands(&self) -> Consumer {
        commands_of(&self.broker).await
    }

    pub async fn dead(&self) -> Consumer {
        self.broker.consume(QueueKind::Dead, prefetch(100)).await.expect("a consumer")
    }

    /// Publishes one message for each body.
    pub async fn publish(&self, bodies: &[&str]) {
        self.broker
            .publish_commands(&bodies.iter().map(|body| message(body)).collect::<Vec<_>>())
            .await
            .expect("published");
    }

    /// The bodies of the next `count` messages, each batch acknowledged.
    #[track_caller]
    pub fn receive(&self, consumer: &mut Consumer, count: usize) -> impl Future<Output = Vec<String>> {
        self.receive_by(&self.broker, consumer, count)
    }

    /// The same from a consumer of another broker.
    #[track_caller]
    pub fn receive_by(
        &self,
        broker: &Broker,
        consumer: &mut Consumer,
        count: usize,
    ) -> impl Future<Output = Vec<String>> {
        let caller = std::panic::Location::caller();
        async move {
            let mut received = Vec::new();
            while received.len() < count {
                let next = consumer.next_batch(count - received.len(), Duration::from_millis(20));
                let batch = tokio::time::timeout(patience(), next).await;
                let batch = batch.unwrap_or_else(|_| panic!("{caller}: only {received:?} of {count} came"));
                let batch = batch.expect("the consumer goes on");
                received.extend(bodies(&batch));
                broker.ack(batch.receipt).await.expect("acknowledged");
            }
            received
        }
    }

    /// Puts a message among the dead letters as the earlier version did.
    pub async fn bury_as_formerly(&self, body: &str, reason: &DeadReason) {
        let message = message(body);
        if self.settings.amqp.is_none() {
            let mut properties = json!(message);
            properties["dead"] = json!(reason);
            properties["attempt"] = json!(4);
            let queue = self.name("vmac.dead");
            let queued = NewQueueMessage { queue, properties, body: body.as_bytes().to_vec() };
            return self.store.queue().publish(&[queued]).await.expect("queued");
        }
        let (_connection, channel) = Rabbit::shared().channel().await;
        let mut headers = FieldTable::default();
        headers.insert("x-vmacd-attempt".into(), AMQPValue::LongLongInt(4));
        headers.insert("x-vmacd-error".into(), AMQPValue::LongString(reason.text.as_str().into()));
        headers.insert("x-vmacd-dead".into(), AMQPValue::LongString(json!(reason).to_string().into()));
        let properties = BasicProperties::default().with_headers(headers).with_message_id(format!("id-{body}").into());
        send(&channel, &self.name("vmac.dead"), &message.routing_key, body, properties).await;
    }

    /// Changes the embedded queue behind its back.
    pub async fn change_queue(&self, sql: &'static str) {
        let connection = SqliteConnection::connect(&format!("sqlite://{}", self.file)).await;
        sqlx::query(sql).execute(&mut connection.expect("the database")).await.expect("changed");
    }
}

/// Publishes a message as any producer may, and waits for the broker to have it.
pub async fn send(channel: &Channel, exchange: &str, routing_key: &str, body: &str, properties: BasicProperties) {
    channel.confirm_select(lapin::options::ConfirmSelectOptions::default()).await.expect("confirms");
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    let properties = properties.with_delivery_mode(2);
    let confirm =
        channel.basic_publish(exchange.into(), routing_key.into(), options, body.as_bytes(), properties).await;
    let confirmed = confirm.expect("published").await.expect("confirmed");
    assert!(matches!(confirmed, lapin::Confirmation::Ack(None)), "{confirmed:?}");
}

pub async fn commands_of(broker: &Broker) -> Consumer {
    broker.consume(QueueKind::Commands, prefetch(100)).await.expect("a consumer")
}

/// So many messages, whatever their size.
pub fn prefetch(messages: u16) -> Prefetch {
    Prefetch { messages, bytes: usize::MAX }
}

/// A create as a producer sends it.
pub fn message(body: &str) -> Message {
    let headers = json!({"tenant": "a", "depth": 3, "nested": {"k": [1, "two", true]}});
    Message {
        message_id: Some(format!("id-{body}")),
        correlation_id: Some("corr".to_owned()),
        traceparent: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned()),
        routing_key: "vmac.create".to_owned(),
        body: body.as_bytes().to_vec(),
        timestamp: Some(1_700_000_000),
        headers: headers.as_object().cloned().unwrap_or_default(),
        ..Message::default()
    }
}

/// A reason to be dead.
pub fn reason(id: &str) -> DeadReason {
    DeadReason {
        burial_id: id.to_owned(),
        code: Code::RefusedBySwitch,
        text: "the switch said: no, \"no\"\nand no".to_owned(),
        attempts: 4,
        switch: Some("sw-1".parse().expect("a name")),
        server_id: Some(7),
        ip: Some("10.0.0.7".parse().expect("an address")),
        first_failed_ms: 1_000,
        last_failed_ms: 2_000,
    }
}

/// The next `count` messages, with the receipt of the last batch. Nothing is acknowledged, so that on the embedded queue
/// they must be there to be claimed at once.
#[track_caller]
pub fn take(consumer: &mut Consumer, count: usize) -> impl Future<Output = Batch> {
    let caller = std::panic::Location::caller();
    async move {
        let mut taken: Option<Batch> = None;
        loop {
            let mut deliveries = taken.map_or_else(Vec::new, |batch| batch.deliveries);
            let next = consumer.next_batch(count - deliveries.len(), Duration::from_millis(20));
            let batch = tokio::time::timeout(patience(), next).await;
            let batch = batch.unwrap_or_else(|_| panic!("{caller}: {} of {count} came", deliveries.len()));
            let batch = batch.unwrap_or_else(|| panic!("{caller}: the consumer ended"));
            deliveries.extend(batch.deliveries);
            let whole = Batch { deliveries, receipt: batch.receipt };
            if whole.deliveries.len() == count {
                return whole;
            }
            taken = Some(whole);
        }
    }
}

/// True when nothing comes for a while: well over the time that what is there takes.
pub async fn is_silent(consumer: &mut Consumer) -> bool {
    tokio::time::timeout(Duration::from_millis(300), consumer.next_batch(1, Duration::ZERO)).await.is_err()
}

/// The bodies, in their order.
pub fn bodies(batch: &Batch) -> Vec<String> {
    batch.deliveries.iter().map(|delivery| String::from_utf8_lossy(&delivery.message.body).into_owned()).collect()
}
