//! Dead letters are kept until somebody replays or discards them.

use serde_json::{Value, json};
use vmacd::domain::Code;
use vmacd::store::{DeadLetter, DeadLetterFilter, StoreError};

use super::bench::{Bench, create, switch};

on_both_engines! {
    a_dead_letter_is_kept_byte_for_byte,
    the_same_dead_letter_is_kept_once,
    different_messages_with_one_id_are_letters_of_their_own,
    copies_of_a_message_are_counted_on_the_letter_that_waits,
    a_letter_that_was_settled_takes_no_new_message,
    a_letter_that_is_collected_again_after_it_was_settled_stays_settled,
    a_message_that_no_command_answers_is_answered_with_its_letter,
    dead_letters_are_found_by_reason_switch_number_and_time,
    what_was_replayed_or_discarded_waits_no_more,
}

/// A letter of its own burial: of the same message where the key is the same.
fn letter(key: &str) -> DeadLetter {
    DeadLetter {
        burial_id: format!("burial of {key}"),
        message_identity: key.to_owned(),
        body_hash: format!("hash of {key}"),
        message_id: Some(key.to_owned()),
        message_key: Some(key.to_owned()),
        correlation_id: Some("corr".to_owned()),
        traceparent: None,
        routing_key: "vmac.create".to_owned(),
        issued_at_ms: Some(1_000),
        timestamp: None,
        arrival: None,
        replay_number: 0,
        body: vec![0, 255, b'{', 0xc3],
        long_body: None,
        headers: json!({"tenant": "a"}),
        reason_code: Code::NotUtf8,
        error_text: "byte 1".to_owned(),
        attempts: 3,
        switch: None,
        server_id: None,
        ip_address: None,
        first_failed_ms: 1_000,
        last_failed_ms: 2_000,
    }
}

/// The same message, sent to the dead letters once more.
fn again(number: u32, letter: DeadLetter) -> DeadLetter {
    DeadLetter { burial_id: format!("{} again {number}", letter.burial_id), ..letter }
}

async fn waiting(bench: &Bench, filter: &DeadLetterFilter) -> Vec<String> {
    let rows = bench.store.dead_letters().list(filter).await.expect("dead letters");
    rows.into_iter().filter_map(|row| row.message_id).collect()
}

async fn a_dead_letter_is_kept_byte_for_byte(bench: &Bench) {
    bench.store.dead_letters().keep(&[letter("a")]).await.expect("kept");
    let rows = bench.store.dead_letters().list(&DeadLetterFilter::default()).await.expect("dead letters");
    let row = &rows[0];
    let full = bench.store.dead_letters().get(row.id).await.expect("found");
    assert_eq!((&full.body, &full.headers), (&letter("a").body, &json!({"tenant": "a"})));
    assert_eq!((row.body_bytes, &row.body_sha256, row.is_too_long()), (4, &None, false));
    assert_eq!((row.attempts, row.reason_code.as_str(), row.state.as_str()), (3, "not_utf8", "waiting"));
    assert_eq!(row.last_failed_at.timestamp_millis(), 2_000);
    assert_eq!(full.row.error_text, "byte 1");
    let missing = bench.store.dead_letters().get(row.id + 1).await;
    assert!(matches!(missing, Err(StoreError::NotFound { .. })), "{missing:?}");
}

async fn the_same_dead_letter_is_kept_once(bench: &Bench) {
    bench.store.dead_letters().keep(&[letter("a"), letter("b")]).await.expect("kept");
    bench.store.dead_letters().keep(&[letter("a")]).await.expect("kept");
    assert_eq!(waiting(bench, &DeadLetterFilter::default()).await, ["a", "b"]);
}

async fn different_messages_with_one_id_are_letters_of_their_own(bench: &Bench) {
    let of_one_id = |key: &str| DeadLetter { message_id: Some("m".to_owned()), ..letter(key) };
    bench.store.dead_letters().keep(&[of_one_id("a"), of_one_id("b")]).await.expect("kept");
    bench
        .store
        .dead_letters()
        .keep(&[of_one_id("c"), DeadLetter { replay_number: 1, ..of_one_id("d") }])
        .await
        .expect("kept");
    assert_eq!(waiting(bench, &DeadLetterFilter::default()).await, ["m"; 4]);
}

async fn copies_of_a_message_are_counted_on_the_letter_that_waits(bench: &Bench) {
    let newer = DeadLetter {
        message_key: Some("newer".to_owned()),
        reason_code: Code::Unreachable,
        last_failed_ms: 9_000,
        ..again(1, letter("a"))
    };
    bench.store.dead_letters().keep(&[letter("a"), newer.clone()]).await.expect("kept");
    bench.store.dead_letters().keep(&[again(2, newer.clone()), letter("b")]).await.expect("kept");
    bench.store.dead_letters().keep(&[again(2, newer)]).await.expect("kept");
    let rows = bench.store.dead_letters().list(&DeadLetterFilter::default()).await.expect("dead letters");
    let of_a = &rows[0];
    assert_eq!((rows.len(), of_a.copies, rows[1].copies), (2, 3, 1), "what is collected twice is counted once");
    assert_eq!((of_a.reason_code.as_str(), of_a.message_key.as_deref()), ("unreachable", Some("newer")));
    assert_eq!((of_a.first_failed_at.timestamp_millis(), of_a.last_failed_at.timestamp_millis()), (1_000, 9_000));
}

async fn a_letter_that_was_settled_takes_no_new_message(bench: &Bench) {
    bench.store.dead_letters().keep(&[letter("a"), letter("b")]).await.expect("kept");
    let settled = bench.store.dead_letters().list(&DeadLetterFilter::default()).await.expect("dead letters");
    bench.store.dead_letters().discard(&[settled[0].id]).await.expect("discarded");
    bench.store.dead_letters().mark_replayed(&[settled[1].id]).await.expect("marked");
    for round in 1..=2 {
        bench.store.dead_letters().keep(&[again(round, letter("a")), again(round, letter("b"))]).await.expect("kept");
        let rows = bench.store.dead_letters().list(&DeadLetterFilter::default()).await.expect("dead letters");
        let found: Vec<_> = rows.iter().map(|row| (row.message_id.as_deref(), row.copies)).collect();
        assert_eq!(found, [(Some("a"), i64::from(round)), (Some("b"), i64::from(round))]);
        assert!(rows.iter().all(|row| row.id > settled[1].id), "they are other letters: {rows:?}");
    }
    for before in settled {
        assert_eq!(bench.store.dead_letters().get(before.id).await.expect("kept").row.copies, 1, "as it was");
    }
}

async fn a_letter_that_is_collected_again_after_it_was_settled_stays_settled(bench: &Bench) {
    bench.store.dead_letters().keep(&[letter("a")]).await.expect("kept");
    let all = bench.store.dead_letters().ids(&DeadLetterFilter::default()).await.expect("dead letters");
    bench.store.dead_letters().discard(&all).await.expect("discarded");
    // Its acknowledgement was lost, not another message sent.
    bench.store.dead_letters().keep(&[letter("a")]).await.expect("nothing to do");
    assert!(waiting(bench, &DeadLetterFilter::default()).await.is_empty());
}

async fn a_message_that_no_command_answers_is_answered_with_its_letter(bench: &Bench) {
    let refused = create("m-1", 9, "10.0.9.9");
    bench.admit(refused.clone()).await;
    assert_eq!(bench.events().await.len(), 1, "the command's own answer, with a letter of its own");
    let own = DeadLetter { body_hash: refused.body_hash, ..letter("m-1") };
    let reused = DeadLetter {
        message_id: Some("m-1".to_owned()),
        message_key: Some("m-1".to_owned()),
        reason_code: Code::MessageIdReused,
        server_id: Some(1),
        ip_address: Some("10.0.1.9".parse().expect("an address")),
        body: br#"{"reference": "order 7781", "server_id": "#.to_vec(),
        ..letter("reused")
    };
    let by_correlation = DeadLetter { message_id: None, message_key: None, ..letter("no id") };
    let by_nothing = DeadLetter { correlation_id: None, ..by_correlation.clone() };
    let by_nothing = DeadLetter { message_identity: "nothing".to_owned(), ..again(1, by_nothing) };
    bench.store.dead_letters().keep(&[own, reused.clone(), by_correlation, by_nothing]).await.expect("kept");
    let letters = bench.store.dead_letters().ids(&DeadLetterFilter::default()).await.expect("dead letters");
    let events = bench.events().await;
    let bodies: Vec<Value> = events.iter().map(|event| serde_json::from_str(&event.body).expect("JSON")).collect();
    assert_eq!((letters.len(), bodies.len()), (5, 2), "{bodies:?}");
    assert!(events.iter().all(|event| event.routing_key == "vmac.failed" && event.correlation_id.is_some()));
    let told = |body: &Value| (body["server_id"].clone(), body["ip_address"].clone(), body["message_id"].clone());
    assert_eq!(told(&bodies[0]), (json!(1), json!("10.0.1.9"), json!("m-1")));
    assert_eq!(
        (&bodies[0]["reason"]["code"], &bodies[0]["dead_letter_id"]),
        (&json!("message_id_reused"), &json!(letters[2]))
    );
    assert_eq!((bodies[0]["reference"].as_str(), bodies[0]["requested_by"].as_str()), (Some("order 7781"), None));
    assert_eq!(told(&bodies[1]), (Value::Null, Value::Null, Value::Null));
    assert_eq!((&bodies[1]["correlation_id"], &bodies[1]["dead_letter_id"]), (&json!("corr"), &json!(letters[3])));
    // Whoever sends it again is answered again; what is merely collected again is not.
    bench.store.dead_letters().keep(std::slice::from_ref(&reused)).await.expect("kept");
    assert!(bench.events().await.is_empty());
    bench.store.dead_letters().keep(&[again(1, reused)]).await.expect("kept");
    assert_eq!(bench.events().await.len(), 1);
}

async fn dead_letters_are_found_by_reason_switch_number_and_time(bench: &Bench) {
    let of_switch = DeadLetter { switch: Some(switch("sw-a")), ..letter("b") };
    let of_reason = DeadLetter { reason_code: Code::Unreachable, last_failed_ms: 9_000, ..letter("c") };
    bench.store.dead_letters().keep(&[letter("a"), of_switch, of_reason]).await.expect("kept");
    let all = bench.store.dead_letters().list(&DeadLetterFilter::default()).await.expect("dead letters");
    let none = DeadLetterFilter::default;
    let table = [
        (DeadLetterFilter { ids: vec![all[0].id, all[2].id], ..none() }, vec!["a", "c"]),
        (DeadLetterFilter { switch: Some(switch("sw-a")), ..none() }, vec!["b"]),
        (DeadLetterFilter { reason: Some("unreachable".to_owned()), ..none() }, vec!["c"]),
        (DeadLetterFilter { since: chrono::DateTime::from_timestamp_millis(9_000), ..none() }, vec!["c"]),
        (DeadLetterFilter { since: Some(chrono::DateTime::<chrono::Utc>::MAX_UTC), ..none() }, vec![]),
        (DeadLetterFilter { switch: Some(switch("sw-b")), ..none() }, vec![]),
    ];
    for (filter, expected) in table {
        assert_eq!(waiting(bench, &filter).await, expected, "{filter:?}");
    }
}

async fn what_was_replayed_or_discarded_waits_no_more(bench: &Bench) {
    bench.store.dead_letters().keep(&[letter("a"), letter("b"), letter("c")]).await.expect("kept");
    let all = bench.store.dead_letters().list(&DeadLetterFilter::default()).await.expect("dead letters");
    assert_eq!(bench.store.dead_letters().mark_replayed(&[all[0].id]).await.expect("marked"), [all[0].id]);
    assert_eq!(
        bench.store.dead_letters().discard(&[all[0].id, all[1].id]).await.expect("discarded"),
        [all[1].id],
        "one is gone"
    );
    assert_eq!(waiting(bench, &DeadLetterFilter::default()).await, ["c"]);
    let replayed = bench.store.dead_letters().get(all[0].id).await.expect("still there").row;
    assert_eq!((replayed.state.as_str(), replayed.replays), ("replayed", 1));
    assert_eq!(bench.store.dead_letters().get(all[1].id).await.expect("still there").row.state, "discarded");
}
