//! The table of the embedded queue.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::json;
use vmacd::store::{ClaimLimit, NewQueueMessage, QueueMessage};

use super::bench::{Bench, LONG};
use crate::support::eventually;

on_both_engines! {
    a_message_is_handed_out_oldest_first_and_gone_when_acknowledged,
    a_message_whose_claim_ran_out_comes_again_and_its_old_claim_is_void,
    a_message_is_replaced_in_one_transaction,
    a_delayed_message_waits,
    two_consumers_never_have_the_same_message,
    a_claim_is_bounded_in_bytes_and_a_long_body_is_handed_out_in_part,
}

const QUEUE: &str = "vmac.commands";

async fn publish(bench: &Bench, bodies: &[&str]) {
    bench.store.queue_publish(&messages(bodies, Duration::ZERO), &[]).await.expect("queued");
}

fn messages(bodies: &[&str], delay: Duration) -> Vec<NewQueueMessage> {
    let message = |body: &&str| NewQueueMessage {
        queue: QUEUE.to_owned(),
        properties: json!({"routing_key": "vmac.create"}),
        body: body.as_bytes().to_vec(),
        delay,
    };
    bodies.iter().map(message).collect()
}

fn limit(messages: i64) -> ClaimLimit {
    ClaimLimit { messages, bytes: i64::MAX }
}

async fn claim(bench: &Bench, messages: i64, claim: Duration) -> Vec<QueueMessage> {
    bench.store.queue_claim(QUEUE, limit(messages), claim).await.expect("messages")
}

fn receipts(messages: &[QueueMessage]) -> Vec<(i64, String)> {
    messages.iter().map(|message| (message.id, message.claim_token.clone())).collect()
}

fn bodies(messages: &[QueueMessage]) -> Vec<String> {
    messages.iter().map(|message| String::from_utf8_lossy(&message.body).into_owned()).collect()
}

async fn a_message_is_handed_out_oldest_first_and_gone_when_acknowledged(bench: &Bench) {
    publish(bench, &["a", "b", "c"]).await;
    let first = claim(bench, 2, LONG).await;
    assert_eq!(bodies(&first), ["a", "b"]);
    assert_eq!((first[0].deliveries, &first[0].properties["routing_key"]), (1, &json!("vmac.create")));
    assert_eq!(bench.store.queue_ack(&receipts(&first)).await.expect("acknowledged"), 2);
    assert_eq!(bench.store.queue_ack(&receipts(&first)).await.expect("nothing left"), 0);
    assert_eq!(bodies(&claim(bench, 9, LONG).await), ["c"]);
}

async fn a_message_whose_claim_ran_out_comes_again_and_its_old_claim_is_void(bench: &Bench) {
    publish(bench, &["a"]).await;
    let stale = claim(bench, 1, Duration::from_millis(30)).await;
    let again = eventually("it comes again", async || {
        let again = claim(bench, 1, LONG).await;
        if again.is_empty() { None } else { Some(again) }
    })
    .await;
    assert_eq!((again[0].id, again[0].deliveries), (stale[0].id, 2));
    assert_eq!(bench.store.queue_ack(&receipts(&stale)).await.expect("an answer"), 0);
    assert_eq!(bench.store.queue_ack(&receipts(&again)).await.expect("an answer"), 1);
}

async fn a_message_is_replaced_in_one_transaction(bench: &Bench) {
    publish(bench, &["a"]).await;
    let taken = claim(bench, 1, LONG).await;
    bench.store.queue_publish(&messages(&["copy"], Duration::ZERO), &receipts(&taken)).await.expect("replaced");
    assert_eq!(bodies(&claim(bench, 9, LONG).await), ["copy"]);
    assert_eq!(bench.store.queue_ack(&receipts(&taken)).await.expect("an answer"), 0);
}

async fn a_delayed_message_waits(bench: &Bench) {
    bench.store.queue_publish(&messages(&["late"], Duration::from_secs(1)), &[]).await.expect("queued");
    publish(bench, &["now"]).await;
    assert_eq!(bodies(&claim(bench, 9, LONG).await), ["now"]);
    assert_eq!(bench.store.queue_depth(QUEUE).await.expect("a count"), 0);
    let late = eventually("it is due", async || claim(bench, 9, LONG).await.pop()).await;
    assert_eq!(late.body, b"late");
}

async fn two_consumers_never_have_the_same_message(bench: &Bench) {
    let texts: Vec<String> = (0..200).map(|number| number.to_string()).collect();
    publish(bench, &texts.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let other = bench.another().await;
    let mut seen = HashSet::new();
    while seen.len() < 200 {
        let (mine, theirs) = tokio::join!(claim(bench, 9, LONG), other.queue_claim(QUEUE, limit(9), LONG));
        let batch: Vec<_> = mine.into_iter().chain(theirs.expect("messages")).collect();
        assert!(!batch.is_empty(), "{} of 200 came", seen.len());
        assert!(batch.iter().all(|message| seen.insert(message.id)), "one came twice");
    }
}

async fn a_claim_is_bounded_in_bytes_and_a_long_body_is_handed_out_in_part(bench: &Bench) {
    let long: String = "0123456789".repeat(1_000_000);
    publish(bench, &["aaaa", "bbbb", &long, "cccc"]).await;
    let bounded = async |bytes| {
        let limit = ClaimLimit { messages: 9, bytes };
        bench.store.queue_claim(QUEUE, limit, LONG).await.expect("messages")
    };
    assert_eq!(bodies(&bounded(8).await), ["aaaa", "bbbb"]);
    let claimed = bounded(1).await;
    assert_eq!((claimed.len(), claimed[0].body_bytes), (1, 10_000_000));
    assert_eq!(claimed[0].body, long.as_bytes()[..64 << 10]);
    let (mut read, mut piece) = (Vec::<u8>::new(), vec![0]);
    while !piece.is_empty() {
        piece = bench.store.queue_body(claimed[0].id, read.len() as i64).await.expect("a piece");
        read.extend(&piece);
    }
    assert!(read == long.as_bytes(), "{} bytes", read.len());
    assert_eq!(bodies(&bounded(100).await), ["cccc"]);
}
