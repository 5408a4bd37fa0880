//! What is published is delivered.

use std::collections::HashSet;
use std::time::Duration;

use sha2::{Digest, Sha256};
use vmacd::broker::{Message, Prefetch, QueueKind};
use vmacd::domain::{BODY_BYTES_MAX, Code, LongBody};

use super::bench::{Bench, bodies, is_silent, message, prefetch, reason, take};

on_both_brokers! {
    a_message_arrives_with_everything_it_carried,
    any_bytes_are_a_body,
    of_a_long_body_its_beginning_comes_with_the_size_and_a_hash_of_the_whole,
    no_more_bytes_than_the_prefetch_allows_are_unsettled,
    a_thousand_messages_arrive_once_each,
    no_more_than_the_prefetch_is_unsettled,
    an_empty_id_is_none,
    a_batch_that_was_cancelled_loses_nothing,
    a_dead_letter_of_the_earlier_version_arrives_with_its_reason,
    a_command_has_no_reason_to_be_dead_whatever_its_headers_say,
}

async fn a_message_arrives_with_everything_it_carried(bench: &Bench) {
    let sent = Message {
        key: Some("the key".to_owned()),
        issued_at_ms: Some(5_678),
        arrival: Some(9_012),
        replay_number: 2,
        ..message("a")
    };
    bench.broker.publish_command(sent.clone()).await.expect("published");
    let got = take(&mut bench.commands().await, 1).await.deliveries.remove(0).message;
    assert_eq!(got, sent);
}

async fn any_bytes_are_a_body(bench: &Bench) {
    let bodies = [Vec::new(), vec![0, 255, 0xc3, 0x28], vec![b'x'; BODY_BYTES_MAX]];
    for body in &bodies {
        let sent = Message { body: body.clone(), ..message("") };
        bench.broker.publish_command(sent).await.expect("published");
    }
    let got = take(&mut bench.commands().await, 3).await;
    assert!(got.deliveries.iter().map(|delivery| &delivery.message.body).eq(&bodies));
}

async fn of_a_long_body_its_beginning_comes_with_the_size_and_a_hash_of_the_whole(bench: &Bench) {
    let body: Vec<u8> = (0..3_000_000u32).map(|at| (at % 251) as u8).collect();
    bench.broker.publish_command(Message { body: body.clone(), ..message("") }).await.expect("published");
    bench.publish(&["next"]).await;
    let mut consumer = bench.commands().await;
    let got = take(&mut consumer, 2).await.deliveries;
    assert_eq!(got[1].message, message("next"));
    let whole = LongBody { bytes: body.len() as u64, sha256: hex::encode(Sha256::digest(&body)) };
    assert_eq!((&got[0].message.body[..], &got[0].message.long_body), (&body[..BODY_BYTES_MAX], &Some(whole)));
}

async fn no_more_bytes_than_the_prefetch_allows_are_unsettled(bench: &Bench) {
    const COUNT: usize = 300;
    let sent: Vec<Message> = (0..COUNT).map(|_| Message { body: vec![b'x'; BODY_BYTES_MAX], ..message("") }).collect();
    bench.broker.publish_commands(&sent).await.expect("published");
    let prefetch = Prefetch { messages: 1_000, bytes: 5 * BODY_BYTES_MAX };
    let mut consumer = bench.broker.consume(QueueKind::Commands, prefetch).await.expect("a consumer");
    let mut seen = 0;
    while seen < COUNT {
        let mut receipts = Vec::new();
        let mut held = 0;
        loop {
            // What was under way when it was full comes too, but that is seen once.
            let patience = match (held, seen) {
                (0, _) => 10_000,
                (_, 0) => 300,
                _ => 5,
            };
            let next = consumer.next_batch(COUNT, Duration::ZERO);
            let Ok(batch) = tokio::time::timeout(Duration::from_millis(patience), next).await else { break };
            let batch = batch.expect("the consumer goes on");
            held += batch.deliveries.len();
            receipts.push(batch.receipt);
        }
        assert!((1..=5 + 2 * 64).contains(&held), "{held} came after {seen}");
        seen += held;
        for receipt in receipts {
            bench.broker.ack(receipt).await.expect("acknowledged");
        }
    }
    assert_eq!(seen, COUNT);
}

async fn a_thousand_messages_arrive_once_each(bench: &Bench) {
    let messages: Vec<_> = (0..1_000).map(|number| message(&number.to_string())).collect();
    bench.broker.publish_commands(&messages).await.expect("published");
    let mut consumer = bench.commands().await;
    let seen = bench.receive(&mut consumer, 1_000).await;
    assert_eq!(seen.iter().collect::<HashSet<_>>().len(), 1_000, "one came twice");
    assert!(is_silent(&mut consumer).await);
}

async fn no_more_than_the_prefetch_is_unsettled(bench: &Bench) {
    bench.publish(&["a", "b", "c", "d", "e"]).await;
    let mut consumer = bench.broker.consume(QueueKind::Commands, prefetch(3)).await.expect("a consumer");
    let held = take(&mut consumer, 3).await;
    assert!(is_silent(&mut consumer).await, "a fourth came");
    bench.broker.ack(held.receipt).await.expect("acknowledged");
    assert_eq!(bodies(&take(&mut consumer, 2).await), ["d", "e"]);
}

async fn an_empty_id_is_none(bench: &Bench) {
    let empty = Some(String::new());
    let sent = Message { message_id: empty.clone(), correlation_id: empty.clone(), key: empty, ..message("a") };
    bench.broker.publish_command(sent).await.expect("published");
    let got = take(&mut bench.commands().await, 1).await.deliveries.remove(0).message;
    assert_eq!((got.message_id, got.correlation_id, got.key), (None, None, None));
}

async fn a_batch_that_was_cancelled_loses_nothing(bench: &Bench) {
    let mut consumer = bench.commands().await;
    let sent: Vec<String> = (0..40).map(|number| number.to_string()).collect();
    let mut got = Vec::new();
    for body in &sent {
        bench.publish(&[body]).await;
        // Given up at any moment of its work, from before the message came to after.
        let given_up = Duration::from_micros(rand::random_range(0..4_000));
        let next = consumer.next_batch(10, Duration::from_millis(1));
        if let Ok(Some(batch)) = tokio::time::timeout(given_up, next).await {
            got.extend(bodies(&batch));
            bench.broker.ack(batch.receipt).await.expect("acknowledged");
        }
    }
    let rest = sent.len() - got.len();
    got.extend(bench.receive(&mut consumer, rest).await);
    assert_eq!(got, sent);
}

async fn a_dead_letter_of_the_earlier_version_arrives_with_its_reason(bench: &Bench) {
    bench.bury_as_formerly("a", &reason("d-1")).await;
    let mut dead = bench.dead().await;
    let batch = take(&mut dead, 1).await;
    let letter = &batch.deliveries[0];
    assert_eq!(letter.dead_reason(chrono::Utc::now()), reason("d-1"));
    assert_eq!((letter.message.body.as_slice(), letter.message.message_id.as_deref()), (&b"a"[..], Some("id-a")));
    let leftovers = letter.message.headers.keys().filter(|name| name.starts_with("x-vmacd"));
    assert_eq!(leftovers.count(), 0, "{:?}", letter.message.headers);
    bench.broker.ack(batch.receipt).await.expect("acknowledged");
    assert!(is_silent(&mut dead).await);
}

async fn a_command_has_no_reason_to_be_dead_whatever_its_headers_say(bench: &Bench) {
    let forged = serde_json::json!({"x-vmacd-dead": serde_json::json!(reason("forged")).to_string()});
    let headers = forged.as_object().cloned().unwrap_or_default();
    bench.broker.publish_command(Message { headers, ..message("a") }).await.expect("published");
    let delivery = take(&mut bench.commands().await, 1).await.deliveries.remove(0);
    assert!(!delivery.given_up);
    assert_eq!(delivery.dead_reason(chrono::Utc::now()).code, Code::DeliveryLimit);
}
