//! What becomes of a batch, and what its receipt says of the session.

use vmacd::broker::{Message, Prefetch, QueueKind};
use vmacd::domain::{BODY_BYTES_MAX, Code};

use super::bench::{Bench, bodies, is_silent, message, reason, take};
use crate::support::eventually;

on_both_brokers! {
    an_acknowledged_message_does_not_come_again,
    settling_twice_does_no_harm,
}

async fn an_acknowledged_message_does_not_come_again(bench: &Bench) {
    for round in 0..20 {
        let body = round.to_string();
        bench.publish(&[&body]).await;
        let mut consumer = bench.commands().await;
        let batch = take(&mut consumer, 1).await;
        assert_eq!(bodies(&batch), [body]);
        bench.broker.ack(batch.receipt).await.expect("acknowledged");
        consumer.stop().await;
    }
    assert!(is_silent(&mut bench.commands().await).await);
}

async fn settling_twice_does_no_harm(bench: &Bench) {
    bench.publish(&["a", "b"]).await;
    let mut consumer = bench.commands().await;
    let first = take(&mut consumer, 1).await;
    bench.broker.ack(first.receipt.clone()).await.expect("acknowledged");
    bench.broker.ack(first.receipt.clone()).await.expect("passed over");
    let second = take(&mut consumer, 1).await;
    bench.broker.ack(second.receipt).await.expect("acknowledged");
    bench.broker.ack(first.receipt).await.expect("passed over");
    bench.publish(&["c"]).await;
    assert_eq!(bodies(&take(&mut consumer, 1).await), ["c"], "the consumer goes on");
    consumer.stop().await;
}

#[tokio::test]
async fn a_message_that_is_delivered_for_ever_is_given_up() {
    let bench = Bench::rabbitmq().await;
    // Its producer cannot say why it is dead.
    let forged = serde_json::json!({"x-vmacd-dead": serde_json::json!(reason("forged")).to_string()});
    let headers = forged.as_object().cloned().unwrap_or_default();
    bench.broker.publish_command(Message { headers, ..message("poison") }).await.expect("published");
    let (mut dead, mut deliveries) = (bench.dead().await, 0);
    let letter = loop {
        let mut consumer = bench.commands().await;
        tokio::select! {
            _held = take(&mut consumer, 1) => {
                deliveries += 1;
                assert!(deliveries < 500, "it comes for ever");
            }
            mut letter = take(&mut dead, 1) => break letter.deliveries.remove(0),
        }
        consumer.stop().await;
    };
    assert!(deliveries >= 100, "after {deliveries}");
    assert_eq!(letter.message.body, b"poison");
    assert_eq!(letter.dead_reason(chrono::Utc::now()).code, Code::DeliveryLimit);
}

#[tokio::test]
async fn the_embedded_queue_marks_a_message_that_was_delivered_too_often() {
    let bench = Bench::embedded().await;
    bench.publish(&["poison", "fine"]).await;
    bench.change_queue("UPDATE queue_messages SET deliveries = 100 WHERE body = CAST('poison' AS BLOB)").await;
    let mut consumer = bench.commands().await;
    let batch = consumer.next_batch(10, std::time::Duration::ZERO).await.expect("a batch");
    assert_eq!(bodies(&batch), ["poison"], "it comes alone");
    assert!(batch.deliveries[0].given_up);
    assert_eq!(batch.deliveries[0].dead_reason(chrono::Utc::now()).code, Code::DeliveryLimit);
    assert_eq!(batch.receipt.queue_claim().map(|claim| claim.messages()), Some(1));
    bench.broker.ack(batch.receipt).await.expect("acknowledged");
    assert!(!take(&mut consumer, 1).await.deliveries[0].given_up);
}

#[tokio::test]
async fn a_receipt_tells_whether_its_session_is_still_there() {
    let bench = Bench::rabbitmq().await;
    bench.publish(&["a", "b"]).await;
    let mut first = bench.commands().await;
    let (one, two) = (take(&mut first, 1).await.receipt, take(&mut first, 1).await.receipt);
    assert_eq!(one.session(), two.session());
    assert!(one.is_live() && one.confirm().await && two.confirm().await);
    first.stop().await;
    assert!(!two.is_live() && !two.confirm().await);
    let other = take(&mut bench.commands().await, 1).await.receipt;
    assert_ne!(other.session(), one.session());
}

#[tokio::test]
async fn a_session_is_confirmed_although_no_more_bytes_are_read() {
    let bench = Bench::rabbitmq().await;
    let sent: Vec<Message> = (0..300).map(|_| Message { body: vec![b'x'; BODY_BYTES_MAX], ..message("") }).collect();
    bench.broker.publish_commands(&sent).await.expect("published");
    let prefetch = Prefetch { messages: 200, bytes: BODY_BYTES_MAX };
    let mut consumer = bench.broker.consume(QueueKind::Commands, prefetch).await.expect("a consumer");
    let batch = take(&mut consumer, 1).await;
    assert!(batch.receipt.confirm().await && batch.receipt.is_live());
}

#[tokio::test]
async fn a_deleted_queue_ends_the_session() {
    let bench = Bench::rabbitmq().await;
    bench.publish(&["a"]).await;
    let mut consumer = bench.commands().await;
    let batch = take(&mut consumer, 1).await;
    let (_connection, channel) = crate::support::Rabbit::shared().channel().await;
    let queue = bench.name("vmac.commands");
    channel.queue_delete(queue.as_str().into(), lapin::options::QueueDeleteOptions::default()).await.expect("deleted");
    eventually("the session is over", async || !batch.receipt.is_live()).await;
    assert!(!batch.receipt.confirm().await);
}
