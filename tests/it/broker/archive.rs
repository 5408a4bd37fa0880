//! The archive of commands.

use std::time::Duration;

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, Channel};
use vmacd::broker::{Archive, ArchiveStart, Archived, Message};

use super::bench::Bench;
use crate::support::{Rabbit, eventually, patience};

async fn read(archive: &Archive, start: ArchiveStart, count: usize) -> Vec<Archived> {
    let mut reader = archive.read(start).await.expect("a reader");
    let mut read = Vec::new();
    while read.len() < count {
        read.push(reader.next(patience()).await.expect("a session").expect("a message"));
    }
    reader.close().await;
    read
}

fn bodies(read: &[Archived]) -> Vec<String> {
    read.iter().map(|one| String::from_utf8_lossy(&one.message.body).into_owned()).collect()
}

#[tokio::test]
async fn every_command_is_archived_in_its_order_and_read_from_any_place() {
    let bench = Bench::rabbitmq().await;
    let mut consumer = bench.commands().await;
    bench.publish(&["a", "b", "c", "d"]).await;
    assert_eq!(bench.receive(&mut consumer, 4).await, ["a", "b", "c", "d"], "the queue has them too");
    let archive = bench.broker.archive().await.expect("RabbitMQ").expect("an archive");
    let whole = read(&archive, ArchiveStart::First, 4).await;
    assert_eq!(bodies(&whole), ["a", "b", "c", "d"]);
    assert_eq!(whole.iter().map(|one| one.offset).collect::<Vec<_>>(), [0, 1, 2, 3]);
    assert_eq!(bodies(&read(&archive, ArchiveStart::Offset(2), 2).await), ["c", "d"]);
    assert_eq!(bodies(&read(&archive, ArchiveStart::Since(1), 4).await), ["a", "b", "c", "d"]);
    assert_eq!(read(&archive, ArchiveStart::Last, 1).await.len(), 1);
    let mut beyond = archive.read(ArchiveStart::Offset(4)).await.expect("a reader");
    assert!(beyond.next(Duration::from_millis(300)).await.expect("a session").is_none(), "nothing is there yet");
    archive.close().await;
}

#[tokio::test]
async fn more_than_the_prefetch_is_read_to_the_end() {
    let bench = Bench::rabbitmq().await;
    let all: Vec<String> = (0..2_500).map(|number| number.to_string()).collect();
    bench.publish(&all.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let archive = bench.broker.archive().await.expect("RabbitMQ").expect("an archive");
    assert_eq!(bodies(&read(&archive, ArchiveStart::First, 2_500).await), all);
    archive.close().await;
}

async fn publish(channel: &Channel, exchange: &str, properties: BasicProperties) {
    let (exchange, key) = (ShortString::from(exchange), ShortString::from("vmac.create"));
    let sent = channel.basic_publish(exchange, key, BasicPublishOptions::default(), b"{}", properties);
    sent.await.expect("published").await.expect("confirmed");
}

fn headers() -> FieldTable {
    let mut headers = FieldTable::default();
    headers.insert("text".into(), AMQPValue::LongString("t".into()));
    headers.insert("number".into(), AMQPValue::LongInt(7));
    headers.insert("flag".into(), AMQPValue::Boolean(true));
    headers.insert("half".into(), AMQPValue::Double(0.5));
    headers.insert("none".into(), AMQPValue::Void);
    headers.insert("list".into(), AMQPValue::FieldArray(vec![AMQPValue::LongInt(1)].into()));
    headers.insert("table".into(), AMQPValue::FieldTable(FieldTable::default()));
    headers.insert("x-own".into(), AMQPValue::LongString("x".into()));
    headers
}

/// What tells a message from others must not depend on which way it came.
#[tokio::test]
async fn a_message_has_one_identity_whether_the_queue_or_the_archive_hands_it_out() {
    let bench = Bench::rabbitmq().await;
    let (_connection, channel) = Rabbit::shared().channel().await;
    channel.confirm_select(ConfirmSelectOptions::default()).await.expect("confirms");
    let exchange = bench.name("vmac.commands");
    let plain = BasicProperties::default;
    let sent = [
        plain(),
        plain().with_headers(headers()),
        plain().with_timestamp(1_795_255_200).with_correlation_id("c".into()),
        plain().with_timestamp(1_795_255_200_123),
        plain().with_message_id("m".into()).with_headers(headers()),
        plain().with_message_id("".into()).with_content_type("application/json".into()),
        plain().with_message_id(ShortString::from("ü".repeat(127))).with_priority(3),
    ];
    for properties in &sent {
        publish(&channel, &exchange, properties.clone()).await;
    }
    let mut consumer = bench.commands().await;
    let mut queued: Vec<Message> = Vec::new();
    while queued.len() < sent.len() {
        let batch = consumer.next_batch(sent.len(), Duration::from_millis(20)).await.expect("a batch");
        queued.extend(batch.deliveries.iter().map(|delivery| delivery.message.clone()));
        bench.broker.ack(batch.receipt).await.expect("acknowledged");
    }
    let archive = bench.broker.archive().await.expect("RabbitMQ").expect("an archive");
    let archived = read(&archive, ArchiveStart::First, sent.len()).await;
    for (queued, Archived { message, .. }) in queued.iter().zip(&archived) {
        assert_eq!(message.identity(), queued.identity(), "{message:?} {queued:?}");
        assert_eq!((&message.message_id, message.issued()), (&queued.message_id, queued.issued()));
    }
    archive.close().await;
}

#[tokio::test]
async fn a_login_that_may_not_use_the_archive_is_warned_and_works() {
    let bench = Bench::rabbitmq().await;
    let namespace = bench.name("");
    // One that is there may be used by a login that may not declare it.
    let read_all = format!("^{namespace}vmac\\.(commands|dead|archive)$");
    let write = format!("^{namespace}vmac\\.(events|commands)$");
    let login = Rabbit::shared().login(["^$", &write, &read_all]);
    let broker = bench.another_through(&login.url).await;
    bench.publish(&["a"]).await;
    let archive = broker.archive().await.expect("RabbitMQ").expect("an archive");
    assert_eq!(bodies(&read(&archive, ArchiveStart::First, 1).await), ["a"]);
    archive.close().await;

    // Where there is none, there is none.
    Rabbit::shared().ctl(&["delete_queue", &bench.name("vmac.archive")]);
    let broker = bench.another_through(&login.url).await;
    assert!(broker.archive().await.expect("RabbitMQ").is_none());
    let mut consumer = super::bench::commands_of(&broker).await;
    assert_eq!(bench.receive_by(&broker, &mut consumer, 1).await, ["a"]);
}

#[tokio::test]
async fn an_archive_of_another_age_is_used_as_it_is_and_a_lost_one_is_declared_again() {
    let bench = Bench::rabbitmq().await;
    bench.publish(&["a"]).await;
    let other = bench.another_with_archive_age(Duration::from_secs(60)).await;
    let archive = other.archive().await.expect("RabbitMQ").expect("an archive");
    assert_eq!(bodies(&read(&archive, ArchiveStart::First, 1).await), ["a"]);
    archive.close().await;
    let none = bench.another_with_archive_age(Duration::ZERO).await;
    assert!(none.archive().await.expect("RabbitMQ").is_none());

    Rabbit::shared().ctl(&["delete_queue", &bench.name("vmac.archive")]);
    let _consumer = bench.commands().await;
    eventually("the archive is declared again", async || {
        let queues = Rabbit::shared().ctl(&["list_queues", "name", "type"]);
        let archive = bench.name("vmac.archive");
        if queues.lines().any(|line| line.starts_with(&archive)) { Ok(()) } else { Err(queues) }
    })
    .await;
}
