//! The queues of the earlier version are replaced, and no message is lost.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use lapin::options::{BasicConsumeOptions, BasicQosOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel};
use tokio::task::JoinHandle;
use vmacd::broker::Consumer;

use super::bench::{Bench, bodies, commands_of, is_silent, reason, send, take};
use super::former::Former;
use crate::support::{eventually, patience};

/// As the earlier version sent a message to wait.
fn tried_before() -> BasicProperties {
    let mut headers = FieldTable::default();
    for name in ["x-vmacd-attempt", "x-vmacd-first-seen", "x-vmacd-age"] {
        headers.insert(name.into(), AMQPValue::LongLongInt(3));
    }
    headers.insert("x-vmacd-key".into(), AMQPValue::LongString("the key".into()));
    BasicProperties::default().with_headers(headers)
}

/// A producer that publishes numbers until it is told to end, and does not know of any queue.
struct Producer {
    ending: Arc<AtomicBool>,
    published: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Producer {
    fn start(channel: Channel, exchange: String) -> Self {
        let (ending, published) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (is_ending, count) = (ending.clone(), published.clone());
        let task = tokio::spawn(async move {
            while !is_ending.load(Ordering::SeqCst) {
                let body = format!("p{}", count.load(Ordering::SeqCst));
                send(&channel, &exchange, "vmac.create", &body, BasicProperties::default()).await;
                count.fetch_add(1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        });
        Self { ending, published, task }
    }

    /// What it published.
    async fn end(self) -> Vec<String> {
        self.ending.store(true, Ordering::SeqCst);
        self.task.await.expect("every message was confirmed");
        (0..self.published.load(Ordering::SeqCst)).map(|number| format!("p{number}")).collect()
    }
}

/// Receives until every one of `expected` came; the bodies in the order in which they came first.
async fn receive_all(bench: &Bench, consumer: &mut Consumer, expected: &[String], received: &mut Vec<String>) {
    let mut missing: HashSet<&String> = expected.iter().filter(|body| !received.contains(body)).collect();
    while !missing.is_empty() {
        let next = tokio::time::timeout(patience(), consumer.next_batch(50, Duration::from_millis(1))).await;
        let batch = next.unwrap_or_else(|_| panic!("missing: {missing:?}")).expect("the consumer goes on");
        for body in bodies(&batch) {
            missing.remove(&body);
            if !received.contains(&body) {
                received.push(body);
            }
        }
        bench.broker.ack(batch.receipt).await.expect("acknowledged");
    }
}

fn of_source(received: &[String], source: char) -> Vec<String> {
    received.iter().filter(|body| body.starts_with(source)).cloned().collect()
}

async fn hold_two(former: &Former) -> Channel {
    let channel = former.another_channel().await;
    channel.basic_qos(2, BasicQosOptions::default()).await.expect("a prefetch");
    let queue = former.name("vmac.commands");
    let options = BasicConsumeOptions::default();
    let consumer = channel.basic_consume(queue.as_str().into(), "old".into(), options, FieldTable::default());
    // It never acknowledges, and is not dropped: dropping it does not cancel it anyway.
    drop(consumer.await.expect("a consumer"));
    channel
}

#[tokio::test]
async fn every_message_arrives_in_order_while_producers_publish_and_an_old_worker_goes_away() {
    let former = Former::new().await;
    former.everything().await;
    let commands = former.name("vmac.commands");
    let old: Vec<String> = (0..20).map(|number| format!("c{number}")).collect();
    for body in &old {
        send(&former.channel, &commands, "vmac.create", body, BasicProperties::default()).await;
    }
    for (delay_ms, body) in [(900_000, "r900000"), (1_000, "r1000"), (300, "r300")] {
        let exchange = former.name(&format!("vmac.retry.{delay_ms}"));
        send(&former.channel, &exchange, "vmac.revoke", body, tried_before()).await;
    }
    let old_worker = hold_two(&former).await;
    eventually("the old worker holds two", async || former.messages("vmac.commands").await <= Some(19)).await;
    let producer = Producer::start(former.another_channel().await, commands.clone());

    let bench = Bench::within(former.namespace()).await;
    let mut consumer = bench.commands().await;
    eventually("it is ready", async || bench.broker.is_connected()).await;
    assert!(is_silent(&mut consumer).await, "two workers receive");
    assert_eq!(former.messages("vmac.commands.moving").await, None, "the old worker goes on undisturbed");
    old_worker.close(200, "gone".into()).await.expect("closed");

    let mut received = Vec::new();
    let retried = ["r900000", "r1000", "r300"].map(str::to_owned);
    receive_all(&bench, &mut consumer, &[&old[..], &retried[..]].concat(), &mut received).await;
    let (broker, done) = (bench.broker.clone(), async || former.leftovers_of_commands().await);
    let drained = async {
        loop {
            let batch = consumer.next_batch(50, Duration::from_millis(1)).await.expect("a batch");
            received.extend(bodies(&batch));
            broker.ack(batch.receipt).await.expect("acknowledged");
        }
    };
    tokio::select! {
        () = eventually("the old queues are gone", async || match done().await { left if left.is_empty() => Ok(()), left => Err(left) }) => {}
        () = drained => {}
    }
    let published = producer.end().await;
    receive_all(&bench, &mut consumer, &published, &mut received).await;

    let mut seen = HashSet::new();
    received.retain(|body| seen.insert(body.clone()));
    assert_eq!(of_source(&received, 'c'), old);
    assert_eq!(of_source(&received, 'p'), published);
    let mut second = commands_of(&bench.another().await).await;
    bench.publish(&["last"]).await;
    assert!(is_silent(&mut second).await, "one consumer at a time");
    assert_eq!(bench.receive(&mut consumer, 1).await, ["last"]);
}

/// How far a worker came before it crashed.
const STAGES: usize = 8;

/// What a crash after so many steps leaves, with a message in each queue; returns what must arrive, in this order.
async fn crashed_after(former: &Former, stage: usize) -> Vec<String> {
    let mut queues = Vec::new();
    former.dead().await;
    if stage <= 4 {
        queues.push(former.retry(900_000).await);
        // In the fourth, the shorter ones are gone.
        if stage <= 3 {
            former.retry(1_000).await;
        }
        former.commands().await;
        queues.push("vmac.commands".to_owned());
    }
    if stage <= 2 {
        former.bind("vmac.commands", "vmac.commands", "#").await;
    }
    if (1..=7).contains(&stage) {
        former.moving().await;
        queues.push("vmac.commands.moving".to_owned());
    }
    if (2..=6).contains(&stage) {
        former.bind("vmac.commands.moving", "vmac.commands", "#").await;
    }
    if stage >= 6 {
        former.commands_of_now().await;
        former.bind("vmac.commands", "vmac.commands", "#").await;
        queues.push("vmac.commands".to_owned());
    }
    for queue in &queues {
        // By the default exchange, straight into the queue.
        send(&former.channel, "", &former.name(queue), &format!("in {queue}"), tried_before()).await;
    }
    queues.iter().map(|queue| format!("in {queue}")).collect()
}

#[tokio::test]
async fn a_crash_at_any_step_is_gone_on_from() {
    futures_util::future::join_all((0..STAGES).map(goes_on_from)).await;
}

async fn goes_on_from(stage: usize) {
    let former = Former::new().await;
    let expected = crashed_after(&former, stage).await;
    let bench = Bench::within(former.namespace()).await;
    let mut consumer = bench.commands().await;
    assert_eq!(bench.receive(&mut consumer, expected.len()).await, expected, "stage {stage}");
    eventually("nothing is left", async || match former.leftovers_of_commands().await {
        left if left.is_empty() => Ok(()),
        left => Err(format!("stage {stage}: {left:?}")),
    })
    .await;
    bench.publish(&["next"]).await;
    assert_eq!(bench.receive(&mut consumer, 1).await, ["next"], "stage {stage}");
    assert!(is_silent(&mut consumer).await);
}

#[tokio::test]
async fn a_message_in_hand_keeps_the_queue_that_it_came_from() {
    let former = Former::new().await;
    former.commands().await;
    former.bind("vmac.commands", "vmac.commands", "#").await;
    let exchange = former.name("vmac.commands");
    for body in ["a", "b"] {
        send(&former.channel, &exchange, "vmac.create", body, BasicProperties::default()).await;
    }
    let bench = Bench::within(former.namespace()).await;
    let mut consumer = bench.commands().await;
    let held = take(&mut consumer, 2).await;
    for _ in 0..6 {
        assert!(is_silent(&mut consumer).await);
    }
    assert!(held.receipt.is_live() && former.messages("vmac.commands.moving").await.is_some());
    consumer.stop().await;
    let mut consumer = bench.commands().await;
    assert_eq!(bench.receive(&mut consumer, 2).await, ["a", "b"], "of whatever queue they are");
    eventually("nothing is left", async || former.leftovers_of_commands().await.is_empty()).await;
}

#[tokio::test]
async fn workers_that_die_again_and_again_lose_nothing() {
    let former = Former::new().await;
    former.everything().await;
    let commands = former.name("vmac.commands");
    let mut expected: Vec<String> = (0..30).map(|number| format!("c{number}")).collect();
    for body in &expected {
        send(&former.channel, &commands, "vmac.create", body, BasicProperties::default()).await;
    }
    send(&former.channel, &former.name("vmac.retry.900000"), "vmac.create", "r", tried_before()).await;
    expected.push("r".to_owned());
    let producer = Producer::start(former.another_channel().await, commands);
    let mut received = Vec::new();
    while !former.leftovers_of_commands().await.is_empty() {
        let bench = Bench::within(former.namespace()).await;
        let mut consumer = bench.commands().await;
        let lives = tokio::time::Instant::now() + Duration::from_millis(rand::random_range(50..4_000));
        while let Ok(Some(batch)) =
            tokio::time::timeout_at(lives, consumer.next_batch(7, Duration::from_millis(1))).await
        {
            received.extend(bodies(&batch));
            // Sometimes it dies before it acknowledges.
            if rand::random_range(0..100) > 0 {
                bench.broker.ack(batch.receipt).await.expect("acknowledged");
            } else {
                break;
            }
        }
    }
    expected.extend(producer.end().await);
    let bench = Bench::within(former.namespace()).await;
    receive_all(&bench, &mut bench.commands().await, &expected, &mut received).await;
}

#[tokio::test]
async fn the_queue_of_dead_letters_is_replaced_too() {
    let former = Former::new().await;
    former.everything().await;
    let bench = Bench::within(former.namespace()).await;
    bench.bury_as_formerly("a", &reason("d-1")).await;
    let mut dead = bench.dead().await;
    let batch = take(&mut dead, 1).await;
    assert_eq!(batch.deliveries[0].dead_reason(chrono::Utc::now()), reason("d-1"));
    bench.broker.ack(batch.receipt).await.expect("acknowledged");
    eventually("nothing is left", async || {
        former.messages("vmac.dead.moving").await.is_none() && former.messages("vmac.dead.mover").await.is_none()
    })
    .await;
    bench.bury_as_formerly("b", &reason("d-2")).await;
    assert_eq!(bench.receive(&mut dead, 1).await, ["b"]);
    assert!(is_silent(&mut dead).await);
}

#[tokio::test]
async fn who_only_publishes_leaves_the_queues_of_the_earlier_version_alone() {
    let former = Former::new().await;
    former.everything().await;
    let bench = Bench::within(former.namespace()).await;
    bench.publish(&["a"]).await;
    assert_eq!(former.messages("vmac.commands").await, Some(1));
    assert_eq!(former.messages("vmac.commands.moving").await, None);
    let depths: HashSet<String> =
        bench.broker.depths().await.expect("depths").into_iter().map(|(queue, _)| queue).collect();
    assert_eq!(depths, ["vmac.commands", "vmac.dead"].map(|queue| bench.name(queue)).into_iter().collect());
}
