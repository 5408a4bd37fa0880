//! The whole way of a create, from the publish to the event, against RabbitMQ merely moving the same messages.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Consumer};

use crate::measure::cpu::{self, Cpu};
use crate::options::Options;
use crate::process::cores;
use crate::report::stats::{median, spread};
use crate::report::table::Row;
use crate::support::{Rabbit, unique};
use crate::world::flow::flow;
use crate::world::producer::Producer;
use crate::world::sims::Estate;
use crate::world::{Create, World};

const NAME: &str = "pipeline";
const GOAL: f64 = 0.5;
/// As many as vmacd itself holds.
const PREFETCH: u16 = 1_000;
const ACK_EVERY: usize = 256;
pub(super) const ESTATE: Estate = Estate { switches: 20, ports: 10, commit_time: "0s", sim_flags: "" };

/// One measurement on fresh switches.
struct Run {
    whole: Whole,
    /// Messages a second of RabbitMQ alone.
    moved: f64,
}

/// The whole way, from the publish to the event.
pub(super) struct Whole {
    /// Creates a second.
    plain: f64,
    /// Creates a second of the time that the switches' CPU leaves.
    pub without_switches: f64,
    /// As [`Cpu::per_create_ms`].
    pub cpu_ms: [f64; 5],
}

pub async fn run(options: &Options) -> Vec<Row> {
    let creates = options.of(2_000, 10_000, 20_000);
    let mut runs = Vec::new();
    for _ in 0..options.of(1, 3, 3) {
        runs.push(one(creates).await);
    }
    let of = |figure: fn(&Run) -> f64| runs.iter().map(figure).collect::<Vec<_>>();
    let (plain, without, moved) = (of(|r| r.whole.plain), of(|r| r.whole.without_switches), of(|r| r.moved));
    let (ratio, plain_ratio) = (median(&without) / median(&moved), median(&plain) / median(&moved));
    let conditions = format!("{creates} creates, 20 switches, commit 0 s, quorum queues; alternating");
    let measured = format!("{ratio:.2}: {} against {} messages a second", spread(&without, 0), spread(&moved, 0));
    let what = "publish to event without the switches' CPU time / RabbitMQ alone";
    vec![
        Row::goal(
            NAME,
            what,
            measured,
            ">= 0.5",
            ratio >= GOAL,
            &format!("{conditions}; switches' CPU seconds / cores taken off"),
        ),
        Row::context(
            NAME,
            "publish to event / RabbitMQ alone",
            format!("{plain_ratio:.2}: {} a second", spread(&plain, 0)),
            &conditions,
        ),
        Row::context(
            NAME,
            "messages moved without the switches' CPU time / RabbitMQ alone",
            format!("{:.2}", 2.0 * ratio),
            "a create is two messages, a command and an event; RabbitMQ alone moves one",
        ),
        Row::context(
            NAME,
            "CPU for each create",
            cpu::each(&runs.iter().map(|run| run.whole.cpu_ms).collect::<Vec<_>>()),
            &conditions,
        ),
    ]
}

async fn one(creates: usize) -> Run {
    let world = World::start(ESTATE).await;
    let creates = world.creates(0, creates);
    let moved = creates.len() as f64 / move_only(&creates).await;
    eprintln!("   RabbitMQ alone {moved:.0} a second");
    Run { whole: publish_to_event(&world, &creates).await, moved }
}

/// Starts a worker and sends it the creates.
pub(super) async fn publish_to_event(world: &World, creates: &[Create]) -> Whole {
    let worker = world.serve().await;
    let before = Cpu::now(world, Some(&worker));
    let flow = flow(world, creates, Duration::from_secs(300)).await;
    let cpu = Cpu::now(world, Some(&worker)).since(&before);
    let without_switches = flow.creates as f64 / (flow.seconds - cpu.switches / cores());
    eprintln!(
        "   {:.0} a second, without the switches' CPU {without_switches:.0}; published in {:.2} s of {:.2} s; CPU seconds: {cpu:?}",
        flow.per_second(),
        flow.publishing_s,
        flow.seconds,
    );
    Whole { plain: flow.per_second(), without_switches, cpu_ms: cpu.per_create_ms(flow.creates) }
}

/// Seconds from the first publish to the last acknowledgement of the same messages through a quorum queue.
async fn move_only(creates: &[Create]) -> f64 {
    let (_connection, channel) = Rabbit::shared().channel().await;
    let (queue, consumer) = consumer(&channel).await;
    // The default exchange routes by the queue's name.
    let producer = Producer::to_exchange(String::new(), queue.clone()).await;
    let began = Instant::now();
    tokio::join!(producer.publish_all(creates), consume(&channel, consumer, creates.len()));
    // An acknowledgement has no answer: the next request on the channel has, after it.
    let _ = channel.queue_purge(queue.as_str().into(), Default::default()).await;
    let seconds = began.elapsed().as_secs_f64();
    let _ = channel.queue_delete(queue.into(), Default::default()).await;
    seconds
}

async fn consumer(channel: &Channel) -> (String, Consumer) {
    let queue = unique("moved");
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare(queue.as_str().into(), options, arguments).await.expect("a queue");
    channel.basic_qos(PREFETCH, BasicQosOptions::default()).await.expect("a prefetch");
    let (options, none) = (BasicConsumeOptions::default(), FieldTable::default());
    let consumer = channel.basic_consume(queue.as_str().into(), "".into(), options, none).await.expect("consuming");
    (queue, consumer)
}

async fn consume(channel: &Channel, mut consumer: Consumer, count: usize) {
    for seen in 1..=count {
        let delivery = consumer.next().await.expect("a message").expect("a message");
        if seen % ACK_EVERY == 0 || seen == count {
            channel.basic_ack(delivery.delivery_tag, BasicAckOptions { multiple: true }).await.expect("acknowledged");
        }
    }
}
