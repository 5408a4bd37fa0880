//! What is published is delivered.

use std::collections::HashSet;
use std::time::Duration;

use sha2::{Digest, Sha256};
use vmacd::broker::{Message, Prefetch, QueueKind};
use vmacd::domain::{BODY_BYTES_MAX, LongBody};

use super::bench::{Bench, bodies, is_silent, message, prefetch, reason, take};

on_both_brokers! {
    a_message_arrives_with_everything_it_carried,
    any_bytes_are_a_body,
    of_a_long_body_its_beginning_comes_with_the_size_and_a_hash_of_the_whole,
    no_more_bytes_than_the_prefetch_allows_are_unsettled,
    messages_come_in_the_order_they_were_published,
    a_thousand_messages_arrive_once_each,
    no_more_than_the_prefetch_is_unsettled,
    two_consumers_share_a_queue,
    each_consumer_has_a_prefetch_of_its_own,
    an_empty_id_is_none,
    a_batch_that_was_cancelled_loses_nothing,
    what_a_stopped_consumer_did_not_hand_out_goes_to_another,
}

async fn a_message_arrives_with_everything_it_carried(bench: &Bench) {
    let sent = Message {
        attempt: 3,
        first_seen_ms: Some(1_234),
        key: Some("the key".to_owned()),
        issued_at_ms: Some(5_678),
        arrival: Some(9_012),
        replay_number: 2,
        ..message("a")
    };
    bench.broker.publish_command(sent.clone()).await.expect("published");
    let got = take(&mut bench.commands().await, 1).await.remove(0).message;
    assert_eq!(got, sent);
}

async fn any_bytes_are_a_body(bench: &Bench) {
    let bodies = [Vec::new(), vec![0, 255, 0xc3, 0x28], vec![b'x'; BODY_BYTES_MAX]];
    for body in &bodies {
        let sent = Message { body: body.clone(), ..message("") };
        bench.broker.publish_command(sent).await.expect("published");
    }
    let got = take(&mut bench.commands().await, 3).await;
    assert!(got.iter().map(|delivery| &delivery.message.body).eq(&bodies));
}

async fn of_a_long_body_its_beginning_comes_with_the_size_and_a_hash_of_the_whole(bench: &Bench) {
    let body: Vec<u8> = (0..3_000_000u32).map(|at| (at % 251) as u8).collect();
    bench.broker.publish_command(Message { body: body.clone(), ..message("") }).await.expect("published");
    bench.publish(&["next"]).await;
    let mut consumer = bench.commands().await;
    let mut got = take(&mut consumer, 2).await;
    assert_eq!(got[1].message, message("next"));
    let held = got.remove(0);
    let whole = LongBody { bytes: body.len() as u64, sha256: hex::encode(Sha256::digest(&body)) };
    assert_eq!((&held.message.body[..], &held.message.long_body), (&body[..BODY_BYTES_MAX], &Some(whole)));
    // Among the dead letters the same is known of it.
    bench.broker.dead(&[(held.receipt, held.message.clone(), reason("long"))]).await.expect("buried");
    assert_eq!(take(&mut bench.dead().await, 1).await.remove(0).message, held.message);
}

async fn no_more_bytes_than_the_prefetch_allows_are_unsettled(bench: &Bench) {
    const COUNT: usize = 300;
    let sent: Vec<Message> = (0..COUNT).map(|_| Message { body: vec![b'x'; BODY_BYTES_MAX], ..message("") }).collect();
    bench.broker.publish_commands(&sent).await.expect("published");
    let prefetch = Prefetch { messages: 1_000, bytes: 5 * BODY_BYTES_MAX };
    let mut consumer = bench.broker.consume(QueueKind::Commands, prefetch).await.expect("a consumer");
    let mut held = take(&mut consumer, 5).await;
    // What was under way by then comes too.
    while let Ok(Some(more)) =
        tokio::time::timeout(Duration::from_millis(300), consumer.next_batch(COUNT, Duration::ZERO)).await
    {
        held.extend(more);
    }
    assert!(held.len() <= 5 + 2 * 64, "{} came", held.len());
    let mut seen = 0;
    while seen < COUNT {
        seen += held.len();
        bench.broker.ack(held.drain(..).map(|delivery| delivery.receipt).collect()).await.expect("acknowledged");
        if seen < COUNT {
            held = take(&mut consumer, 1).await;
        }
    }
    assert!(is_silent(&mut consumer).await);
}

async fn messages_come_in_the_order_they_were_published(bench: &Bench) {
    let sent: Vec<String> = (0..50).map(|number| number.to_string()).collect();
    for body in &sent {
        bench.publish(&[body]).await;
    }
    assert_eq!(bodies(&take(&mut bench.commands().await, 50).await), sent);
}

async fn a_thousand_messages_arrive_once_each(bench: &Bench) {
    let messages: Vec<_> = (0..1_000).map(|number| message(&number.to_string())).collect();
    bench.broker.publish_commands(&messages).await.expect("published");
    let mut consumer = bench.commands().await;
    let mut seen = HashSet::new();
    while seen.len() < 1_000 {
        let batch = take(&mut consumer, 1).await;
        assert!(bodies(&batch).into_iter().all(|body| seen.insert(body)), "one came twice");
        bench.broker.ack(batch.into_iter().map(|delivery| delivery.receipt).collect()).await.expect("acknowledged");
    }
    assert!(is_silent(&mut consumer).await);
}

async fn no_more_than_the_prefetch_is_unsettled(bench: &Bench) {
    bench.publish(&["a", "b", "c", "d", "e"]).await;
    let mut consumer = bench.broker.consume(QueueKind::Commands, prefetch(3)).await.expect("a consumer");
    let mut held = take(&mut consumer, 3).await;
    assert!(is_silent(&mut consumer).await, "a fourth came");
    bench.broker.ack(vec![held.remove(0).receipt]).await.expect("acknowledged");
    assert_eq!(bodies(&take(&mut consumer, 1).await), ["d"]);
}

async fn two_consumers_share_a_queue(bench: &Bench) {
    let other = bench.another().await;
    let mut mine = bench.broker.consume(QueueKind::Commands, prefetch(10)).await.expect("a consumer");
    let mut theirs = other.consume(QueueKind::Commands, prefetch(10)).await.expect("a consumer");
    let sent: HashSet<String> = (0..20).map(|number| number.to_string()).collect();
    bench.publish(&sent.iter().map(String::as_str).collect::<Vec<_>>()).await;
    // Nothing is settled: neither can take more than its ten.
    let (mine, theirs) = tokio::join!(take(&mut mine, 10), take(&mut theirs, 10));
    assert_eq!(bodies(&mine).into_iter().chain(bodies(&theirs)).collect::<HashSet<_>>(), sent);
}

async fn each_consumer_has_a_prefetch_of_its_own(bench: &Bench) {
    bench.publish(&["a", "b", "c", "d", "e", "f", "g"]).await;
    let mut commands = bench.broker.consume(QueueKind::Commands, prefetch(4)).await.expect("a consumer");
    let mut held = take(&mut commands, 4).await;
    let letter = held.remove(0);
    bench.broker.dead(&[(letter.receipt, letter.message, reason("d-1"))]).await.expect("sent");
    held.extend(take(&mut commands, 1).await);
    assert!(is_silent(&mut commands).await, "a fifth is in hand");
    // As many are in hand as this one may take in all, and none of them is its own.
    let mut dead = bench.broker.consume(QueueKind::Dead, prefetch(1)).await.expect("a consumer");
    assert_eq!(bodies(&take(&mut dead, 1).await), ["a"]);
    let mut others = bench.broker.consume(QueueKind::Commands, prefetch(2)).await.expect("a consumer");
    assert_eq!(bodies(&take(&mut others, 2).await), ["f", "g"]);
}

async fn an_empty_id_is_none(bench: &Bench) {
    let empty = Some(String::new());
    let sent = Message { message_id: empty.clone(), correlation_id: empty.clone(), key: empty, ..message("a") };
    bench.broker.publish_command(sent).await.expect("published");
    let got = take(&mut bench.commands().await, 1).await.remove(0).message;
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
        }
    }
    let rest = sent.len() - got.len();
    got.extend(bodies(&take(&mut consumer, rest).await));
    assert_eq!(got, sent);
}

async fn what_a_stopped_consumer_did_not_hand_out_goes_to_another(bench: &Bench) {
    bench.publish(&["a", "b", "c"]).await;
    let mut first = bench.commands().await;
    let held = take(&mut first, 1).await;
    first.stop().await;
    let mut second = bench.commands().await;
    let rest = take(&mut second, 2).await;
    assert_eq!(bodies(&rest).into_iter().collect::<HashSet<_>>(), HashSet::from(["b".to_owned(), "c".to_owned()]));
    let receipts = held.into_iter().chain(rest).map(|delivery| delivery.receipt).collect();
    bench.broker.ack(receipts).await.expect("receipts in hand stay good");
    assert!(is_silent(&mut second).await);
}
