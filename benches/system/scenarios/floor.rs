//! The pipeline against a floor: the least program that moves the same two messages and writes the least rows.

use std::time::Duration;

use futures_util::future::join_all;
use futures_util::{FutureExt, StreamExt};
use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions,
    ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, Consumer, ExchangeKind, PublisherConfirm};
use sqlx::{Connection as _, PgConnection};

use super::pipeline::{self, Whole};
use crate::measure::cpu::{self, Cpu};
use crate::options::Options;
use crate::report::stats::{median, spread};
use crate::report::table::Row;
use crate::support::Rabbit;
use crate::support::postgres::{Database, fresh_database};
use crate::world::flow::flow_with;
use crate::world::producer::Producer;
use crate::world::watch::Watch;
use crate::world::{Create, World};

const NAME: &str = "floor";
const GOAL: f64 = 0.5;
/// As many as vmacd itself holds.
const PREFETCH: u16 = 1_000;
/// As many as vmacd admits in one transaction.
const BATCH: usize = 500;
/// A batch is as full as what comes without a pause lets it be.
const PAUSE: Duration = Duration::from_millis(5);
const TABLES: &str = "CREATE TABLE orders (message_key TEXT PRIMARY KEY, body BYTEA NOT NULL, status TEXT NOT NULL);
    CREATE TABLE order_events (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body TEXT NOT NULL)";

pub async fn run(options: &Options) -> Vec<Row> {
    let creates = options.of(2_000, 10_000, 20_000);
    let (mut floors, mut wholes): (Vec<(f64, [f64; 5])>, Vec<Whole>) = (Vec::new(), Vec::new());
    for _ in 0..options.of(1, 3, 3) {
        let world = World::start(pipeline::ESTATE).await;
        let creates = world.creates(0, creates);
        floors.push(floor(&world, &creates).await);
        wholes.push(pipeline::publish_to_event(&world, &creates).await);
    }
    let rates = floors.iter().map(|(rate, _)| *rate).collect::<Vec<_>>();
    let without = wholes.iter().map(|whole| whole.without_switches).collect::<Vec<_>>();
    let ratio = median(&without) / median(&rates);
    let measured = format!("{ratio:.2}: {} against {} creates a second", spread(&without, 0), spread(&rates, 0));
    let conditions = format!("{creates} creates, 20 switches, commit 0 s, quorum queues, fsync on; alternating");
    let what = "publish to event without the switches' CPU time / the floor";
    let cpu = |runs: Vec<[f64; 5]>| cpu::each(&runs);
    vec![
        Row::goal(NAME, what, measured, ">= 0.5", ratio >= GOAL, &conditions),
        Row::context(
            NAME,
            "CPU for each create, the floor",
            cpu(floors.iter().map(|(_, cpu_ms)| *cpu_ms).collect()),
            "the floor runs in the process that produces and watches",
        ),
        Row::context(
            NAME,
            "CPU for each create, vmacd",
            cpu(wholes.iter().map(|whole| whole.cpu_ms).collect()),
            &conditions,
        ),
    ]
}

/// Creates a second, and [`Cpu::per_create_ms`].
async fn floor(world: &World, creates: &[Create]) -> (f64, [f64; 5]) {
    let (namespace, database) = (Rabbit::namespace(), fresh_database().await);
    let program = Floor::start(&namespace, &database).await;
    let mut watch = Watch::start_in(&namespace).await;
    let producer = Producer::to_exchange(format!("{namespace}vmac.commands"), "vmac.create".to_owned()).await;
    let before = Cpu::now(world, None);
    let running = tokio::spawn(program.run());
    let flow = flow_with(&producer, &mut watch, creates, Duration::from_secs(120)).await;
    running.abort();
    let cpu = Cpu::now(world, None).since(&before);
    eprintln!("   the floor: {:.0} a second; CPU seconds: {cpu:?}", flow.per_second());
    (flow.per_second(), cpu.per_create_ms(flow.creates))
}

struct Floor {
    _connection: Connection,
    channel: Channel,
    consumer: Consumer,
    database: PgConnection,
    events: String,
}

impl Floor {
    async fn start(namespace: &str, database: &Database) -> Self {
        database.execute(TABLES.to_owned()).await;
        let (connection, channel) = Rabbit::shared().channel().await;
        let [commands, events] = ["vmac.commands", "vmac.events"].map(|name| format!("{namespace}{name}"));
        for exchange in [&commands, &events] {
            let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
            let declaring =
                channel.exchange_declare(exchange.as_str().into(), ExchangeKind::Topic, options, FieldTable::default());
            declaring.await.expect("an exchange");
        }
        channel.confirm_select(ConfirmSelectOptions::default()).await.expect("confirms");
        let consumer = consumer(&channel, &commands).await;
        Self { _connection: connection, channel, consumer, database: database.connect().await, events }
    }

    /// A batch at a time: one transaction, one acknowledgement, the events. Ends with the task it runs in.
    async fn run(mut self) {
        let mut unconfirmed = Vec::new();
        loop {
            let batch = self.batch().await;
            self.write(&batch).await;
            let last = batch.last().expect("a message").delivery_tag;
            self.channel.basic_ack(last, BasicAckOptions { multiple: true }).await.expect("acknowledged");
            let sent = self.publish(&batch).await;
            for confirm in join_all(std::mem::replace(&mut unconfirmed, sent)).await {
                assert!(confirm.expect("the broker answers").is_ack());
            }
        }
    }

    async fn batch(&mut self) -> Vec<Delivery> {
        let mut batch = vec![self.consumer.next().await.expect("a message").expect("a message")];
        while batch.len() < BATCH {
            let next = match self.consumer.next().now_or_never() {
                Some(next) => next,
                None => match tokio::time::timeout(PAUSE, self.consumer.next()).await {
                    Ok(next) => next,
                    Err(_) => break,
                },
            };
            batch.push(next.expect("a message").expect("a message"));
        }
        batch
    }

    /// What has to be durable: the order, that it was done, and its event.
    async fn write(&mut self, batch: &[Delivery]) {
        let keys: Vec<String> = batch.iter().map(message_id).collect();
        let bodies: Vec<&[u8]> = batch.iter().map(|delivery| delivery.data.as_slice()).collect();
        let events: Vec<String> = batch.iter().map(event).collect();
        let mut transaction = self.database.begin().await.expect("a transaction");
        let insert =
            "INSERT INTO orders SELECT key, body, 'pending' FROM unnest($1::text[], $2::bytea[]) AS o(key, body)";
        let statement = sqlx::query(insert).bind(&keys).bind(&bodies);
        statement.execute(&mut *transaction).await.expect("inserted");
        let update = "UPDATE orders SET status = 'active' WHERE message_key = ANY($1)";
        sqlx::query(update).bind(&keys).execute(&mut *transaction).await.expect("updated");
        let insert = "INSERT INTO order_events (body) SELECT unnest($1::text[])";
        sqlx::query(insert).bind(&events).execute(&mut *transaction).await.expect("inserted");
        transaction.commit().await.expect("committed");
    }

    async fn publish(&self, batch: &[Delivery]) -> Vec<PublisherConfirm> {
        let mut confirms = Vec::with_capacity(batch.len());
        for delivery in batch {
            let (id, body) = (message_id(delivery), event(delivery));
            let mut properties = BasicProperties::default()
                .with_delivery_mode(2)
                .with_content_type("application/json".into())
                .with_message_id(id.into());
            if let Some(correlation_id) = delivery.properties.correlation_id() {
                properties = properties.with_correlation_id(correlation_id.clone());
            }
            let (exchange, options) = (self.events.as_str().into(), BasicPublishOptions::default());
            let sending =
                self.channel.basic_publish(exchange, "vmac.active".into(), options, body.as_bytes(), properties);
            confirms.push(sending.await.expect("published"));
        }
        confirms
    }
}

/// Consumes from a quorum queue that is bound to the exchange.
async fn consumer(channel: &Channel, exchange: &str) -> Consumer {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    // The queue has the exchange's name.
    channel.queue_declare(exchange.into(), options, arguments).await.expect("a queue");
    let (bind, none) = (QueueBindOptions::default(), FieldTable::default());
    channel.queue_bind(exchange.into(), exchange.into(), "#".into(), bind, none).await.expect("bound");
    channel.basic_qos(PREFETCH, BasicQosOptions::default()).await.expect("a prefetch");
    let (options, none) = (BasicConsumeOptions::default(), FieldTable::default());
    channel.basic_consume(exchange.into(), "".into(), options, none).await.expect("consuming")
}

fn message_id(delivery: &Delivery) -> String {
    delivery.properties.message_id().as_ref().map(ToString::to_string).expect("the producer sets one")
}

/// As long as vmacd's own for one binding.
fn event(delivery: &Delivery) -> String {
    let command = String::from_utf8_lossy(&delivery.data);
    let asked = command.trim_start_matches('{').trim_end_matches('}');
    let (id, correlation_id) = (message_id(delivery), delivery.properties.correlation_id().as_ref());
    let correlation_id = correlation_id.map(ToString::to_string).unwrap_or_default();
    format!(
        r#"{{"vmac_id":100000,{asked},"mac_address":"02:00:00:00:00:01","status":"active","switch_bindings":[{{"switch":"sw-001","interface":"ge-0/0/1.0","vlan":"VLAN.13","mac":"02:00:00:00:00:01","state":"bound","at":"2026-01-01T00:00:00.000Z"}}],"message_id":"{id}","correlation_id":"{correlation_id}","occurred_at":"2026-01-01T00:00:00.000Z"}}"#
    )
}
