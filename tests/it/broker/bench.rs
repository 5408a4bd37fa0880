//! A broker with a namespace of its own.

use std::time::Duration;

use serde_json::json;
use vmacd::broker::{
    AmqpTarget, Broker, BrokerError, BrokerSettings, Consumer, DeadReason, Delivery, Message, Prefetch, QueueKind,
};
use vmacd::domain::Code;
use vmacd::store::{Store, StoreOptions};

use crate::support::{Rabbit, patience, run_dir, unique};

/// The ladder's only two rungs.
pub const RUNG_MIN: Duration = Duration::from_millis(200);
pub const RUNG_MAX: Duration = Duration::from_millis(400);

/// A broker under test.
pub struct Bench {
    pub broker: Broker,
    settings: BrokerSettings,
    store: Store,
}

impl Bench {
    pub async fn embedded() -> Self {
        Self::new(None).await.expect("the embedded queue")
    }

    pub async fn rabbitmq() -> Self {
        Self::of(Rabbit::shared().url()).await
    }

    /// On the RabbitMQ of this URL.
    pub async fn of(url: &str) -> Self {
        Self::on(AmqpTarget { url: url.to_owned(), ca: None }).await.expect("a broker")
    }

    /// On this RabbitMQ, which may refuse.
    pub async fn on(target: AmqpTarget) -> Result<Self, BrokerError> {
        Self::new(Some(target)).await
    }

    async fn new(amqp: Option<AmqpTarget>) -> Result<Self, BrokerError> {
        let file = run_dir().join(unique("queue")).with_extension("db");
        let store = Store::connect(&format!("sqlite://{}", file.display()), StoreOptions::default()).await;
        let store = store.expect("a database");
        store.migrate().await.expect("tables");
        let settings = BrokerSettings {
            amqp,
            namespace: Rabbit::namespace(),
            rpc_timeout: Duration::from_secs(10),
            delay_min: RUNG_MIN,
            delay_max: RUNG_MAX,
        };
        let broker = Broker::connect(settings.clone(), &store).await?;
        Ok(Self { broker, settings, store })
    }

    /// The same queues as another process sees them.
    pub async fn another(&self) -> Broker {
        self.try_another().await.expect("a broker")
    }

    pub async fn try_another(&self) -> Result<Broker, BrokerError> {
        Broker::connect(self.settings.clone(), &self.store).await
    }

    /// The name of a queue or exchange as the broker knows it.
    pub fn name(&self, plain: &str) -> String {
        format!("{}{plain}", self.settings.namespace)
    }

    pub async fn commands(&self) -> Consumer {
        self.broker.consume(QueueKind::Commands, prefetch(100)).await.expect("a consumer")
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

/// The next `count` deliveries.
#[track_caller]
pub fn take(consumer: &mut Consumer, count: usize) -> impl Future<Output = Vec<Delivery>> {
    let caller = std::panic::Location::caller();
    async move {
        let mut taken = Vec::new();
        while taken.len() < count {
            let next = consumer.next_batch(count - taken.len(), Duration::from_millis(20));
            match tokio::time::timeout(patience(), next).await {
                Ok(Some(batch)) => taken.extend(batch),
                Ok(None) => panic!("{caller}: the consumer ended after {} of {count}", taken.len()),
                Err(_) => panic!("{caller}: {} of {count} came", taken.len()),
            }
        }
        taken
    }
}

/// True when nothing comes for a while: well over the time that what is there takes.
pub async fn is_silent(consumer: &mut Consumer) -> bool {
    tokio::time::timeout(Duration::from_millis(300), consumer.next_batch(1, Duration::ZERO)).await.is_err()
}

/// The bodies, in their order.
pub fn bodies(deliveries: &[Delivery]) -> Vec<String> {
    deliveries.iter().map(|delivery| String::from_utf8_lossy(&delivery.message.body).into_owned()).collect()
}
