//! Messages that came together are admitted in one transaction, by the worker whose turn it is.

use std::time::Duration;

use serde_json::{Value, json};
use vmacd::domain::Code;
use vmacd::store::{
    Admission, ClaimLimit, DeadLetter, DeadLetterFilter, Fence, IntakeBatch, NewQueueMessage, QueueClaim, StoreError,
};

use super::bench::{Bench, LONG, create, issued, revoke, rng};
use crate::support::eventually;

on_both_engines! {
    commands_letters_and_reused_ids_are_one_transaction,
    nothing_of_a_batch_is_written_once_the_turn_is_lost,
    a_worker_that_was_paused_in_its_turn_does_not_bring_an_old_create_back,
    each_queue_has_its_own_turns,
    of_many_workers_that_take_a_turn_the_last_one_has_it,
    messages_of_the_embedded_queue_go_with_the_transaction_that_admits_them,
    a_claim_that_went_to_another_admits_nothing,
    a_part_of_a_claim_leaves_its_messages,
    a_batch_that_comes_again_changes_nothing,
}

const IP: &str = "10.0.1.10";
const QUEUE: &str = "vmac.commands";

fn unreadable(id: &str) -> DeadLetter {
    let failure = vmacd::domain::Failure::new(Code::NotJson, "expected a value");
    let letter = create(id, 1, IP).letter(&failure, chrono::DateTime::UNIX_EPOCH);
    DeadLetter { message_key: None, body: b"{".to_vec(), body_hash: format!("hash of {id}"), ..letter }
}

fn batch() -> IntakeBatch {
    let commands = vec![create("m-1", 1, IP), create("m-1", 1, "10.0.1.11"), create("m-2", 9, "10.0.9.9")];
    IntakeBatch { commands, letters: vec![unreadable("m-3")] }
}

async fn admit(bench: &Bench, fence: &Fence, batch: &IntakeBatch) -> Result<Vec<Admission>, StoreError> {
    bench.store.intake().admit_batch(fence, batch, &mut rng()).await
}

async fn letters(bench: &Bench) -> Vec<(String, String)> {
    let letters = bench.store.dead_letters().list(&DeadLetterFilter::default()).await.expect("dead letters");
    let mut told: Vec<_> =
        letters.into_iter().map(|letter| (letter.message_id.unwrap_or_default(), letter.reason_code)).collect();
    told.sort();
    told
}

/// Rows, commands, work, intents, letters and events.
async fn counts(bench: &Bench) -> [i64; 6] {
    [
        bench.number("SELECT COUNT(*) FROM virtual_macs").await,
        bench.number("SELECT COUNT(*) FROM commands").await,
        bench.number("SELECT COUNT(*) FROM switch_work").await,
        bench.number("SELECT COUNT(*) FROM intents").await,
        bench.number("SELECT COUNT(*) FROM dead_letters").await,
        bench.number("SELECT COUNT(*) FROM events").await,
    ]
}

#[track_caller]
fn assert_turn_lost<T: std::fmt::Debug>(refused: Result<T, StoreError>) {
    assert!(matches!(refused, Err(StoreError::TurnLost)), "{refused:?}");
}

async fn commands_letters_and_reused_ids_are_one_transaction(bench: &Bench) {
    let turn = bench.store.intake().take_turn(QUEUE).await.expect("a turn");
    let answers = admit(bench, &turn, &batch()).await.expect("admitted");
    let codes = answers.iter().map(|answer| match answer {
        Admission::Refused { failure } => Some(failure.code),
        _ => None,
    });
    assert_eq!(codes.collect::<Vec<_>>(), [None, Some(Code::MessageIdReused), Some(Code::UnknownServer)]);
    let told = [("m-1", "message_id_reused"), ("m-2", "unknown_server"), ("m-3", "not_json")];
    assert_eq!(letters(bench).await, told.map(|(id, code)| (id.to_owned(), code.to_owned())));
    let events = bench.events().await;
    let told = events.iter().map(|event| {
        let body: Value = serde_json::from_str(&event.body).expect("JSON");
        assert!(body["dead_letter_id"].is_i64(), "{body}");
        (event.routing_key.clone(), body["message_id"].as_str().expect("an id").to_owned())
    });
    let mut told: Vec<_> = told.collect();
    told.sort();
    assert_eq!(told, ["m-1", "m-2", "m-3"].map(|id| ("vmac.failed".to_owned(), id.to_owned())));
    assert_eq!(counts(bench).await[..3], [1, 2, 1]);
}

async fn nothing_of_a_batch_is_written_once_the_turn_is_lost(bench: &Bench) {
    let turn = bench.store.intake().take_turn(QUEUE).await.expect("a turn");
    let other = bench.another().await;
    let taken = other.intake().take_turn(QUEUE).await.expect("a turn");
    for _ in 0..2 {
        assert_turn_lost(admit(bench, &turn, &batch()).await);
        assert_eq!(counts(bench).await, [0; 6]);
    }
    other.intake().admit_batch(&taken, &batch(), &mut rng()).await.expect("admitted");
    let after = counts(bench).await;
    assert_turn_lost(admit(bench, &turn, &batch()).await);
    assert_eq!(counts(bench).await, after);
}

async fn a_worker_that_was_paused_in_its_turn_does_not_bring_an_old_create_back(bench: &Bench) {
    let unsaid = |incoming| super::bench::when(incoming, vmacd::domain::Issued::Unsaid);
    let of = |incoming| IntakeBatch { commands: vec![unsaid(incoming)], letters: Vec::new() };
    let turn = bench.store.intake().take_turn(QUEUE).await.expect("a turn");
    // It has a create in hand and is paused. The broker gives the message, and the revoke after it, to another worker.
    let other = bench.another().await;
    let taken = other.intake().take_turn(QUEUE).await.expect("a turn");
    for message in [create("m-1", 1, IP), revoke("m-2", 1, IP)] {
        other.intake().admit_batch(&taken, &of(message), &mut rng()).await.expect("admitted");
    }
    bench.settle("sw-a").await;
    // The inbox has been cleared of what is done by the time the first one goes on.
    bench.execute("DELETE FROM commands".to_owned()).await;
    let before = counts(bench).await;
    assert_turn_lost(admit(bench, &turn, &of(create("m-1", 1, IP))).await);
    assert_eq!(counts(bench).await, before);
    assert_eq!(bench.status(IP).await, vmacd::domain::Status::Revoked);
}

async fn each_queue_has_its_own_turns(bench: &Bench) {
    let mine = bench.store.intake().take_turn("one.vmac.commands").await.expect("a turn");
    bench.store.intake().take_turn("two.vmac.commands").await.expect("a turn");
    assert!(admit(bench, &mine, &batch()).await.is_ok());
}

async fn of_many_workers_that_take_a_turn_the_last_one_has_it(bench: &Bench) {
    let other = bench.another().await;
    let takes = (0..8).map(|number| {
        let store = if number % 2 == 0 { &bench.store } else { &other };
        async move { store.intake().take_turn(QUEUE).await.expect("a turn") }
    });
    let turns = futures_util::future::join_all(takes).await;
    let mut holding = 0;
    for (number, turn) in turns.iter().enumerate() {
        let command = create(&format!("m-{number}"), 1, &format!("10.0.1.{}", 20 + number));
        let admitted = admit(bench, turn, &IntakeBatch { commands: vec![command], letters: Vec::new() }).await;
        holding += usize::from(admitted.is_ok());
    }
    assert_eq!((holding, bench.rows().await), (1, 1));
}

async fn claimed(bench: &Bench, lasts: Duration) -> Option<QueueClaim> {
    let limit = ClaimLimit { messages: 10, bytes: i64::MAX };
    bench.store.queue().claim(QUEUE, limit, lasts).await.expect("an answer").map(|claimed| claimed.claim)
}

async fn publish(bench: &Bench, count: usize) {
    let message = || NewQueueMessage { queue: QUEUE.to_owned(), properties: json!({}), body: b"{}".to_vec() };
    bench.store.queue().publish(&(0..count).map(|_| message()).collect::<Vec<_>>()).await.expect("queued");
}

async fn depth(bench: &Bench) -> i64 {
    bench.store.queue().depth(QUEUE).await.expect("a depth")
}

async fn messages_of_the_embedded_queue_go_with_the_transaction_that_admits_them(bench: &Bench) {
    publish(bench, 3).await;
    let claim = Fence::Claim(claimed(bench, LONG).await.expect("messages"));
    assert_eq!(depth(bench).await, 3);
    admit(bench, &claim, &batch()).await.expect("admitted");
    assert_eq!((depth(bench).await, bench.rows().await), (0, 1));
    assert_turn_lost(admit(bench, &claim, &batch()).await);
}

async fn a_claim_that_went_to_another_admits_nothing(bench: &Bench) {
    publish(bench, 1).await;
    let stale = Fence::Claim(claimed(bench, Duration::from_millis(30)).await.expect("messages"));
    let next = eventually("the claim runs out", async || claimed(bench, LONG).await).await;
    assert_turn_lost(admit(bench, &stale, &batch()).await);
    assert_eq!((counts(bench).await, depth(bench).await), ([0; 6], 1));
    admit(bench, &Fence::Claim(next), &batch()).await.expect("admitted");
    assert_eq!((depth(bench).await, bench.rows().await), (0, 1));
}

async fn a_part_of_a_claim_leaves_its_messages(bench: &Bench) {
    publish(bench, 2).await;
    let claim = claimed(bench, LONG).await.expect("messages");
    admit(bench, &Fence::None, &batch()).await.expect("admitted");
    assert_eq!((depth(bench).await, bench.rows().await), (2, 1));
    bench.store.queue().remove(&claim).await.expect("removed");
    assert_eq!(depth(bench).await, 0);
}

/// Acknowledgements get lost, and then everything is delivered once more.
async fn a_batch_that_comes_again_changes_nothing(bench: &Bench) {
    let turn = bench.store.intake().take_turn(QUEUE).await.expect("a turn");
    let first = admit(bench, &turn, &batch()).await.expect("admitted");
    let (rows, work) = (bench.row(IP).await, bench.work("sw-a").await.len());
    let turn = bench.store.intake().take_turn(QUEUE).await.expect("a turn");
    assert_eq!(admit(bench, &turn, &batch()).await.expect("admitted"), first);
    assert_eq!((bench.row(IP).await, bench.work("sw-a").await.len()), (rows, work));
    // What is no command is known again by its message.
    let copies: Vec<_> = bench.store.dead_letters().list(&DeadLetterFilter::default()).await.expect("dead letters");
    assert_eq!(copies.len(), 3, "{copies:?}");
    bench.admit(issued(revoke("m-9", 1, IP), 9_000)).await;
    bench.settle("sw-a").await;
    assert_eq!(bench.status(IP).await, vmacd::domain::Status::Revoked);
}
