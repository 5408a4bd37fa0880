//! Dead letters are kept until somebody replays or discards them.

use serde_json::json;
use vmacd::store::{DeadLetter, DeadLetterFilter, StoreError};

use super::bench::{Bench, switch};

on_both_engines! {
    a_dead_letter_is_kept_byte_for_byte,
    the_same_dead_letter_is_kept_once,
    dead_letters_are_found_by_reason_switch_number_and_time,
    what_was_replayed_or_discarded_waits_no_more,
}

fn letter(key: &str) -> DeadLetter {
    DeadLetter {
        dedupe_key: key.to_owned(),
        message_id: Some(key.to_owned()),
        message_key: Some(key.to_owned()),
        correlation_id: Some("corr".to_owned()),
        traceparent: None,
        routing_key: "vmac.create".to_owned(),
        issued_at_ms: Some(1_000),
        replay_number: 0,
        body: vec![0, 255, b'{', 0xc3],
        headers: json!({"tenant": "a"}),
        reason_code: "not_utf8".to_owned(),
        error_text: "byte 1".to_owned(),
        attempts: 3,
        switch: None,
        server_id: None,
        ip_address: None,
        first_failed_ms: 1_000,
        last_failed_ms: 2_000,
    }
}

async fn waiting(bench: &Bench, filter: &DeadLetterFilter) -> Vec<String> {
    let rows = bench.store.dead_letters(filter).await.expect("dead letters");
    rows.into_iter().filter_map(|row| row.message_id).collect()
}

async fn a_dead_letter_is_kept_byte_for_byte(bench: &Bench) {
    bench.store.collect(&[letter("a")]).await.expect("kept");
    let rows = bench.store.dead_letters(&DeadLetterFilter::default()).await.expect("dead letters");
    let row = &rows[0];
    assert_eq!((&row.body, &row.headers), (&letter("a").body, &json!({"tenant": "a"})));
    assert_eq!((row.attempts, row.reason_code.as_str(), row.state.as_str()), (3, "not_utf8", "waiting"));
    assert_eq!(row.last_failed_at.timestamp_millis(), 2_000);
    assert_eq!(bench.store.dead_letter(row.id).await.expect("found").error_text, "byte 1");
    let missing = bench.store.dead_letter(row.id + 1).await;
    assert!(matches!(missing, Err(StoreError::NotFound { .. })), "{missing:?}");
}

async fn the_same_dead_letter_is_kept_once(bench: &Bench) {
    bench.store.collect(&[letter("a"), letter("b")]).await.expect("kept");
    bench.store.collect(&[letter("a")]).await.expect("kept");
    assert_eq!(waiting(bench, &DeadLetterFilter::default()).await, ["a", "b"]);
}

async fn dead_letters_are_found_by_reason_switch_number_and_time(bench: &Bench) {
    let of_switch = DeadLetter { switch: Some(switch("sw-a")), ..letter("b") };
    let of_reason = DeadLetter { reason_code: "unreachable".to_owned(), last_failed_ms: 9_000, ..letter("c") };
    bench.store.collect(&[letter("a"), of_switch, of_reason]).await.expect("kept");
    let all = bench.store.dead_letters(&DeadLetterFilter::default()).await.expect("dead letters");
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
    bench.store.collect(&[letter("a"), letter("b"), letter("c")]).await.expect("kept");
    let all = bench.store.dead_letters(&DeadLetterFilter::default()).await.expect("dead letters");
    assert_eq!(bench.store.mark_replayed(&[all[0].id]).await.expect("marked"), [all[0].id]);
    assert_eq!(bench.store.discard(&[all[0].id, all[1].id]).await.expect("discarded"), [all[1].id], "one is gone");
    assert_eq!(waiting(bench, &DeadLetterFilter::default()).await, ["c"]);
    let replayed = bench.store.dead_letter(all[0].id).await.expect("still there");
    assert_eq!((replayed.state.as_str(), replayed.replays), ("replayed", 1));
    assert_eq!(bench.store.dead_letter(all[1].id).await.expect("still there").state, "discarded");
}
