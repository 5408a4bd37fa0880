//! RabbitMQ going away, coming back, and being stubborn.

use lapin::options::{QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::FieldTable;
use vmacd::broker::BrokerError;
use vmacd::domain::chain;

use super::bench::{Bench, bodies, commands_of, is_silent, message, take};
use crate::support::{Proxy, Rabbit, eventually};

#[tokio::test]
async fn a_consumer_goes_on_after_a_crash_of_the_private_broker() {
    let mut rabbit = Rabbit::private();
    let bench = Bench::of(rabbit.url()).await;
    let mut consumer = bench.commands().await;
    // Shows that the queues are settled: only then does a crash test the messages, not the declarations.
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    bench.publish(&["a", "b"]).await;
    let held = take(&mut consumer, 2).await;
    rabbit.kill9();
    let down = bench.broker.publish_command(message("lost")).await;
    assert!(matches!(down, Err(BrokerError::Amqp { .. } | BrokerError::Timeout { .. })), "{down:?}");
    eventually("it notices", async || !bench.broker.is_connected()).await;
    rabbit.start_again();
    eventually("it is back", async || bench.broker.is_connected()).await;
    // The receipts are of a session that is gone: passed over, and the messages come again.
    assert!(!held.receipt.is_live());
    bench.broker.ack(held.receipt).await.expect("passed over");
    assert_eq!(bench.receive(&mut consumer, 2).await, ["a", "b"]);
    bench.publish(&["c"]).await;
    assert_eq!(bodies(&take(&mut consumer, 1).await), ["c"]);
}

#[tokio::test]
async fn a_cut_connection_is_built_anew() {
    let rabbit = Rabbit::shared();
    let proxy = Proxy::start(rabbit.authority()).await;
    let bench = Bench::of(&rabbit.url_through(proxy.port())).await;
    let mut consumer = bench.commands().await;
    bench.publish(&["a"]).await;
    take(&mut consumer, 1).await;
    proxy.cut();
    eventually("it notices", async || !bench.broker.is_connected()).await;
    assert!(bench.broker.publish_command(message("b")).await.is_err());
    proxy.restore();
    assert_eq!(bodies(&take(&mut consumer, 1).await), ["a"], "what was not settled comes again");
    bench.publish(&["b"]).await;
    assert_eq!(bodies(&take(&mut consumer, 1).await), ["b"]);
}

#[tokio::test]
async fn a_batch_ends_where_the_session_does() {
    let rabbit = Rabbit::shared();
    let proxy = Proxy::start(rabbit.authority()).await;
    let bench = Bench::of(&rabbit.url_through(proxy.port())).await;
    let mut consumer = bench.commands().await;
    bench.publish(&["a", "b", "c"]).await;
    let old = take(&mut consumer, 1).await;
    // The others are in the consumer's hand, and come again over the next session.
    proxy.cut();
    eventually("it notices", async || !bench.broker.is_connected()).await;
    proxy.restore();
    let new = take(&mut consumer, 3).await;
    assert_eq!(bodies(&new), ["a", "b", "c"]);
    assert!(!old.receipt.is_live() && new.receipt.is_live() && new.receipt.session() > old.receipt.session());
    bench.broker.ack(new.receipt).await.expect("acknowledged");
    assert!(is_silent(&mut consumer).await);
}

#[tokio::test]
async fn another_consumer_takes_over_within_seconds_when_the_connection_of_the_first_dies() {
    let rabbit = Rabbit::shared();
    let proxy = Proxy::start(rabbit.authority()).await;
    let bench = Bench::of(rabbit.url()).await;
    let first = bench.another_through(&rabbit.url_through(proxy.port())).await;
    let mut active = commands_of(&first).await;
    bench.publish(&["a", "b", "c"]).await;
    let held = take(&mut active, 2).await;
    let mut waiting = bench.commands().await;
    assert!(is_silent(&mut waiting).await);
    proxy.cut();
    let started = std::time::Instant::now();
    assert_eq!(bench.receive(&mut waiting, 3).await, ["a", "b", "c"]);
    assert!(started.elapsed() < std::time::Duration::from_secs(5), "after {:?}", started.elapsed());
    assert!(!held.receipt.is_live() && !held.receipt.confirm().await);
}

#[tokio::test]
async fn a_network_that_swallows_everything_is_noticed_by_the_heartbeat() {
    let rabbit = Rabbit::shared();
    let proxy = Proxy::start(rabbit.authority()).await;
    let url = format!("{}?heartbeat=1", rabbit.url_through(proxy.port()));
    let bench = Bench::of(&url).await;
    let mut consumer = bench.commands().await;
    bench.publish(&["a"]).await;
    take(&mut consumer, 1).await;
    proxy.black_hole();
    eventually("it notices", async || !bench.broker.is_connected()).await;
    proxy.restore();
    assert_eq!(bodies(&take(&mut consumer, 1).await), ["a"]);
}

#[tokio::test]
async fn what_reaches_no_queue_is_an_error() {
    let bench = Bench::rabbitmq().await;
    let (_connection, channel) = Rabbit::shared().channel().await;
    let queue = bench.name("vmac.commands");
    for queue in [&queue, &bench.name("vmac.archive")] {
        channel.queue_delete(queue.as_str().into(), QueueDeleteOptions::default()).await.expect("deleted");
    }
    let refused = bench.broker.publish_command(message("a")).await;
    assert!(matches!(&refused, Err(BrokerError::NotTaken { exchange, .. }) if *exchange == queue), "{refused:?}");
}

#[tokio::test]
async fn a_deleted_queue_is_declared_again_and_consumed() {
    let bench = Bench::rabbitmq().await;
    let mut consumer = bench.commands().await;
    bench.publish(&["a"]).await;
    take(&mut consumer, 1).await;
    let (_connection, channel) = Rabbit::shared().channel().await;
    let queue = bench.name("vmac.commands");
    channel.queue_delete(queue.as_str().into(), QueueDeleteOptions::default()).await.expect("deleted");
    // And bound: what is published before that is in the archive alone.
    eventually("it is made anew", async || bench.broker.queues_made() == 1).await;
    bench.publish(&["b"]).await;
    assert_eq!(bodies(&take(&mut consumer, 1).await), ["b"]);
}

#[tokio::test]
async fn a_queue_that_was_declared_otherwise_is_named() {
    let rabbit = Rabbit::shared();
    let (bench, (_connection, channel)) = (Bench::rabbitmq().await, rabbit.channel().await);
    let queue = bench.name("vmac.dead");
    channel.queue_delete(queue.as_str().into(), QueueDeleteOptions::default()).await.expect("deleted");
    let classic = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare(queue.as_str().into(), classic, FieldTable::default()).await.expect("declared");
    let refused = bench.try_another().await.map(|_| ()).expect_err("another kind of queue");
    let text = chain(&refused);
    assert!(matches!(refused, BrokerError::Refused { code: 406, .. }), "{text}");
    assert!(text.contains(&queue) && text.contains("x-queue-type"), "{text}");
    assert_eq!(text.matches("PRECONDITION_FAILED").count(), 1, "{text}");
}

#[tokio::test]
async fn a_private_broker_short_of_memory_takes_no_message_and_delivers_all_the_same() {
    let rabbit = Rabbit::private();
    let bench = Bench::of(rabbit.url()).await;
    bench.publish(&["a"]).await;
    rabbit.ctl(&["set_vm_memory_high_watermark", "0.0000001"]);
    let blocked = bench.broker.publish_command(message("b")).await;
    assert!(matches!(blocked, Err(BrokerError::Timeout { .. })), "{blocked:?}");
    let held = take(&mut bench.commands().await, 1).await;
    bench.broker.ack(held.receipt).await.expect("acknowledged");
    rabbit.ctl(&["set_vm_memory_high_watermark", "0.6"]);
    eventually("it takes messages again", async || bench.broker.publish_command(message("c")).await).await;
}

#[tokio::test]
async fn a_private_broker_that_finds_its_consumer_too_slow_hands_the_message_out_again() {
    let rabbit = Rabbit::private_with("consumer_timeout = 2000");
    let bench = Bench::of(rabbit.url()).await;
    bench.publish(&["a"]).await;
    let mut consumer = bench.commands().await;
    // Before 4.3 it closes the channel, since then it cancels the consumer.
    for _ in 0..3 {
        assert_eq!(bodies(&take(&mut consumer, 1).await), ["a"]);
    }
    assert_eq!(bench.receive(&mut consumer, 1).await, ["a"]);
    bench.publish(&["b"]).await;
    assert_eq!(bench.receive(&mut consumer, 1).await, ["b"]);
}
