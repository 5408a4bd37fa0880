//! The table of the embedded queue.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::json;
use vmacd::store::{ClaimLimit, ClaimedMessages, NewQueueMessage, Store};

use super::bench::{Bench, LONG};
use crate::support::eventually;

on_both_engines! {
    messages_are_claimed_oldest_first_and_gone_when_removed,
    a_message_whose_claim_ran_out_comes_again_and_its_old_claim_removes_nothing,
    nothing_is_claimed_while_a_claim_lasts,
    what_came_before_is_claimed_before_what_is_newer,
    a_released_claim_was_no_delivery,
    consumers_at_the_same_time_never_have_the_same_message,
    a_claim_is_bounded_in_bytes_and_a_long_body_is_handed_out_in_part,
    an_idle_check_does_not_write,
    every_queue_is_claimed_by_itself,
}

const QUEUE: &str = "vmac.commands";

async fn publish(bench: &Bench, bodies: &[&str]) {
    publish_to(bench, QUEUE, bodies).await;
}

async fn publish_to(bench: &Bench, queue: &str, bodies: &[&str]) {
    let message = |body: &&str| NewQueueMessage {
        queue: queue.to_owned(),
        properties: json!({"routing_key": "vmac.create"}),
        body: body.as_bytes().to_vec(),
    };
    bench.store.queue().publish(&bodies.iter().map(message).collect::<Vec<_>>()).await.expect("queued");
}

async fn try_claim(store: &Store, messages: i64, lasts: Duration) -> Option<ClaimedMessages> {
    store.queue().claim(QUEUE, ClaimLimit { messages, bytes: i64::MAX }, lasts).await.expect("an answer")
}

async fn claim(bench: &Bench, messages: i64) -> ClaimedMessages {
    try_claim(&bench.store, messages, LONG).await.expect("messages")
}

fn bodies(claimed: &ClaimedMessages) -> Vec<String> {
    claimed.messages.iter().map(|message| String::from_utf8_lossy(&message.body).into_owned()).collect()
}

async fn left(bench: &Bench) -> i64 {
    bench.store.queue().depth(QUEUE).await.expect("a count")
}

async fn messages_are_claimed_oldest_first_and_gone_when_removed(bench: &Bench) {
    let texts: Vec<String> = (0..250).map(|number| number.to_string()).collect();
    publish(bench, &texts.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let first = claim(bench, 200).await;
    assert_eq!(bodies(&first), texts[..200]);
    assert_eq!(
        (first.messages[0].deliveries, &first.messages[0].properties["routing_key"]),
        (1, &json!("vmac.create"))
    );
    assert_eq!((first.claim.queue(), first.claim.messages()), (QUEUE, 200));
    for _ in 0..2 {
        bench.store.queue().remove(&first.claim).await.expect("removed, or gone already");
        assert_eq!(left(bench).await, 50);
    }
    assert_eq!(bodies(&claim(bench, 200).await), texts[200..]);
}

async fn a_message_whose_claim_ran_out_comes_again_and_its_old_claim_removes_nothing(bench: &Bench) {
    publish(bench, &["a"]).await;
    let stale = try_claim(&bench.store, 1, Duration::from_millis(30)).await.expect("a message");
    let again = eventually("it comes again", async || try_claim(&bench.store, 1, LONG).await).await;
    assert_eq!((again.messages[0].id, again.messages[0].deliveries), (stale.messages[0].id, 2));
    bench.store.queue().remove(&stale.claim).await.expect("an answer");
    assert_eq!(left(bench).await, 1);
    bench.store.queue().remove(&again.claim).await.expect("removed");
    assert_eq!(left(bench).await, 0);
}

async fn nothing_is_claimed_while_a_claim_lasts(bench: &Bench) {
    publish(bench, &["a", "b", "c"]).await;
    let first = claim(bench, 1).await;
    assert!(try_claim(&bench.store, 9, LONG).await.is_none());
    bench.store.queue().remove(&first.claim).await.expect("removed");
    assert_eq!(bodies(&claim(bench, 9).await), ["b", "c"]);
}

async fn what_came_before_is_claimed_before_what_is_newer(bench: &Bench) {
    publish(bench, &["a", "b"]).await;
    try_claim(&bench.store, 2, Duration::from_millis(30)).await.expect("messages");
    publish(bench, &["c"]).await;
    let again = eventually("it comes again", async || try_claim(&bench.store, 2, LONG).await).await;
    assert_eq!(bodies(&again), ["a"], "with fewer others");
    bench.store.queue().remove(&again.claim).await.expect("removed");
    assert_eq!(bodies(&claim(bench, 4).await), ["b", "c"]);
}

async fn a_released_claim_was_no_delivery(bench: &Bench) {
    publish(bench, &["a", "b"]).await;
    let first = claim(bench, 2).await;
    bench.store.queue().release(&first.claim).await.expect("released");
    let again = claim(bench, 2).await;
    assert_eq!((bodies(&again), again.messages[0].deliveries), (vec!["a".to_owned(), "b".to_owned()], 1));
}

async fn consumers_at_the_same_time_never_have_the_same_message(bench: &Bench) {
    let texts: Vec<String> = (0..200).map(|number| number.to_string()).collect();
    publish(bench, &texts.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let other = bench.another().await;
    let mut seen = HashSet::new();
    while seen.len() < 200 {
        let (mine, theirs) = tokio::join!(try_claim(&bench.store, 9, LONG), try_claim(&other, 9, LONG));
        assert!(mine.is_some() != theirs.is_some(), "{} of 200 came; one of them has the next", seen.len());
        let claimed = mine.or(theirs).expect("messages");
        assert!(claimed.messages.iter().all(|message| seen.insert(message.id)), "one came twice");
        other.queue().remove(&claimed.claim).await.expect("removed");
    }
}

async fn a_claim_is_bounded_in_bytes_and_a_long_body_is_handed_out_in_part(bench: &Bench) {
    let long: String = "0123456789".repeat(1_000_000);
    publish(bench, &["aaaa", "bbbb", &long, "cccc"]).await;
    let bounded = async |bytes| {
        let limit = ClaimLimit { messages: 9, bytes };
        let claimed = bench.store.queue().claim(QUEUE, limit, LONG).await.expect("an answer").expect("messages");
        bench.store.queue().release(&claimed.claim).await.expect("released");
        claimed
    };
    let two = bounded(8).await;
    assert_eq!(bodies(&two), ["aaaa", "bbbb"]);
    let three = bounded(9).await;
    assert_eq!((three.messages.len(), three.messages[2].body_bytes), (3, 10_000_000));
    assert_eq!(three.messages[2].body, long.as_bytes()[..64 << 10]);
    let (mut read, mut piece) = (Vec::<u8>::new(), vec![0]);
    while !piece.is_empty() {
        piece = bench.store.queue().body(three.messages[2].id, read.len() as i64).await.expect("a piece");
        read.extend(&piece);
    }
    assert!(read == long.as_bytes(), "{} bytes", read.len());
}

async fn an_idle_check_does_not_write(bench: &Bench) {
    publish(bench, &["a"]).await;
    let held = claim(bench, 1).await;
    bench.store.now().await.expect("the time");
    let before = bench.store.statements();
    assert!(try_claim(&bench.store, 9, LONG).await.is_none());
    assert_eq!(bench.store.statements() - before, 1, "one statement that reads, also while a claim lasts");
    bench.store.queue().remove(&held.claim).await.expect("removed");
    let before = bench.store.statements();
    assert!(try_claim(&bench.store, 9, LONG).await.is_none());
    assert_eq!(bench.store.statements() - before, 1);
}

async fn every_queue_is_claimed_by_itself(bench: &Bench) {
    publish_to(bench, "vmac.dead", &["letter"]).await;
    publish(bench, &["a"]).await;
    assert_eq!(bodies(&claim(bench, 9).await), ["a"]);
    let limit = ClaimLimit { messages: 9, bytes: i64::MAX };
    let dead = bench.store.queue().claim("vmac.dead", limit, LONG).await.expect("an answer").expect("messages");
    assert_eq!(bodies(&dead), ["letter"]);
}
