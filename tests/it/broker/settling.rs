//! What becomes of a delivery: acknowledged, handed back, tried again later, or dead.

use std::time::{Duration, Instant};

use vmacd::broker::Message;
use vmacd::domain::Code;

use super::bench::{Bench, RUNG_MAX, RUNG_MIN, bodies, is_silent, message, reason, take};

on_both_brokers! {
    an_acknowledged_message_does_not_come_again,
    a_message_handed_back_comes_again_at_once,
    a_retry_comes_after_its_delay_with_what_was_added_to_it,
    a_longer_delay_does_not_hold_up_a_shorter_one,
    a_dead_message_is_on_the_dead_queue_with_its_reason,
    a_message_that_is_delivered_for_ever_is_given_up,
    settling_twice_does_no_harm,
}

async fn an_acknowledged_message_does_not_come_again(bench: &Bench) {
    bench.publish(&["a"]).await;
    let mut consumer = bench.commands().await;
    let held = take(&mut consumer, 1).await;
    bench.broker.ack(held.into_iter().map(|delivery| delivery.receipt).collect()).await.expect("acknowledged");
    consumer.stop().await;
    assert!(is_silent(&mut bench.commands().await).await);
}

async fn a_message_handed_back_comes_again_at_once(bench: &Bench) {
    bench.publish(&["a"]).await;
    let mut consumer = bench.commands().await;
    for _ in 0..3 {
        let held = take(&mut consumer, 1).await;
        assert_eq!(held[0].message, message("a"));
        bench.broker.requeue(held.into_iter().map(|delivery| delivery.receipt).collect()).await.expect("handed back");
    }
    assert_eq!(take(&mut consumer, 1).await.len(), 1);
}

async fn a_retry_comes_after_its_delay_with_what_was_added_to_it(bench: &Bench) {
    bench.publish(&["a"]).await;
    let mut consumer = bench.commands().await;
    let held = take(&mut consumer, 1).await.remove(0);
    let again = Message { attempt: 1, key: Some("k".to_owned()), first_seen_ms: Some(7), ..held.message };
    let start = Instant::now();
    bench.broker.retry(&[(held.receipt, again.clone(), RUNG_MIN)]).await.expect("put on the ladder");
    let got = take(&mut consumer, 1).await.remove(0);
    assert!(start.elapsed() >= RUNG_MIN, "after {:?}", start.elapsed());
    assert_eq!(got.message, again, "routing key, body and headers are those it came with");
    bench.broker.ack(vec![got.receipt]).await.expect("acknowledged");
    assert!(is_silent(&mut consumer).await, "the original is gone");
}

async fn a_longer_delay_does_not_hold_up_a_shorter_one(bench: &Bench) {
    bench.publish(&["long", "short"]).await;
    let mut consumer = bench.commands().await;
    let mut held = take(&mut consumer, 2).await;
    let (short, long) = (held.pop().expect("two"), held.pop().expect("one"));
    let beyond = RUNG_MAX * 100;
    bench.broker.retry(&[(long.receipt, long.message, beyond)]).await.expect("put on the ladder");
    bench.broker.retry(&[(short.receipt, short.message, Duration::ZERO)]).await.expect("put on the ladder");
    assert_eq!(bodies(&take(&mut consumer, 1).await), ["short"]);
    assert_eq!(bodies(&take(&mut consumer, 1).await), ["long"]);
}

async fn a_dead_message_is_on_the_dead_queue_with_its_reason(bench: &Bench) {
    bench.broker.publish_command(Message { body: vec![0xc3, 0x28], ..message("") }).await.expect("published");
    let mut consumer = bench.commands().await;
    let held = take(&mut consumer, 1).await.remove(0);
    bench.broker.dead(&[(held.receipt, held.message.clone(), reason("d-1"))]).await.expect("buried");
    let mut dead = bench.dead().await;
    let letter = take(&mut dead, 1).await.remove(0);
    assert_eq!(letter.message, held.message);
    assert_eq!(letter.dead_reason(chrono::Utc::now()), reason("d-1"));
    bench.broker.ack(vec![letter.receipt]).await.expect("acknowledged");
    assert!(is_silent(&mut dead).await && is_silent(&mut consumer).await);
}

async fn a_message_that_is_delivered_for_ever_is_given_up(bench: &Bench) {
    // Its producer cannot say why it is dead.
    let forged = serde_json::json!({"x-vmacd-dead": serde_json::json!(reason("forged")).to_string()});
    let headers = forged.as_object().cloned().unwrap_or_default();
    bench.broker.publish_command(Message { headers, ..message("poison") }).await.expect("published");
    let mut consumer = bench.commands().await;
    let (mut dead, mut deliveries) = (bench.dead().await, 0);
    let letter = loop {
        tokio::select! {
            held = take(&mut consumer, 1) => {
                deliveries += 1;
                assert!(deliveries < 500, "it comes for ever");
                let receipts = held.into_iter().map(|delivery| delivery.receipt).collect();
                bench.broker.requeue(receipts).await.expect("handed back");
            }
            mut letter = take(&mut dead, 1) => break letter.remove(0),
        }
    };
    assert!(deliveries >= 100, "after {deliveries}");
    assert_eq!(letter.message.body, b"poison");
    assert_eq!(letter.dead_reason(chrono::Utc::now()).code, Code::DeliveryLimit);
}

async fn settling_twice_does_no_harm(bench: &Bench) {
    bench.publish(&["a", "b"]).await;
    let mut consumer = bench.commands().await;
    let held = take(&mut consumer, 2).await;
    let first = held[0].receipt.clone();
    bench.broker.ack(vec![first.clone()]).await.expect("acknowledged");
    bench.broker.ack(vec![first]).await.expect("passed over");
    bench.broker.ack(vec![held[1].receipt.clone()]).await.expect("acknowledged");
    consumer.stop().await;
    assert!(is_silent(&mut bench.commands().await).await, "the second was settled all the same");
}
