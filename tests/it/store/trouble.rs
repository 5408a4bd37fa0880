//! A switch that cannot be brought to what its rows want: it is written down once, on the switch, and ends what waits by age
//! alone.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;
use vmacd::domain::{Code, Failure, FreezeOrder, RetryPolicy, Scope, Status};
use vmacd::store::{DeadLetterFilter, Outcome, PushResults, RecordedPush, Store, Trouble};

use super::bench::{Bench, LONG, create, end_of, issued, reached, revoke, switch};

on_both_engines! {
    trouble_is_on_the_switch_with_its_next_try_and_costs_no_attempt,
    rows_that_wait_say_why_once_for_each_reason,
    what_was_done_before_the_trouble_is_kept,
    a_success_ends_the_trouble,
    trouble_of_one_switch_is_not_that_of_another,
    what_waited_for_too_long_ends_with_its_dead_letter_and_event,
    what_came_later_waits_for_its_own_time,
    a_revoke_that_waited_for_too_long_ends_too,
    a_clock_that_jumps_a_day_adds_a_minute_at_most,
    a_freeze_ends_nothing_however_long_it_lasts,
    a_producer_is_told_once_that_its_command_waits,
    a_row_that_comes_during_the_trouble_says_why_it_waits_before_the_next_try,
}

const IP: &str = "10.0.1.10";
const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 86_400_000;

fn unreachable() -> Failure {
    Failure::new(Code::Unreachable, "no route")
}

/// Delays of exactly a minute, and an end after five of them.
fn five_minutes() -> RetryPolicy {
    let minute = Duration::from_secs(60);
    RetryPolicy { delay_min: minute, delay_max: minute, age_max: 5 * minute, ..RetryPolicy::default() }
}

/// A try that fails that way.
async fn try_in_vain(bench: &Bench, store: &Store, name: &str, failure: &Failure) -> RecordedPush {
    let lease =
        store.leases().acquire(&switch(name), "worker-1", LONG).await.expect("an answer").expect("a free lease");
    let results = PushResults { whole: Some(failure), ..PushResults::default() };
    let settled = store.pushes().record(&lease, &results).await.expect("settled");
    assert!(!bench.store.leases().holds(&lease).await.expect("an answer"), "it is given back until the next try");
    settled
}

/// So much time passes between two tries of the switch.
async fn pass(bench: &Bench, name: &str, ms: i64) {
    let passed = format!("tried_at_ms = tried_at_ms - {ms}, next_try_at_ms = next_try_at_ms - {ms}");
    bench.execute(format!("UPDATE switch_leases SET {passed} WHERE switch = '{name}'")).await;
}

async fn trouble(bench: &Bench, name: &str) -> Option<Trouble> {
    bench.store.switches().get(&switch(name)).await.expect("a switch").trouble
}

async fn failing_ms(bench: &Bench) -> i64 {
    bench.number("SELECT failing_ms FROM switch_leases WHERE switch = 'sw-a'").await
}

async fn dead_letters(bench: &Bench) -> usize {
    bench.store.dead_letters().list(&DeadLetterFilter::default()).await.expect("dead letters").len()
}

async fn trouble_is_on_the_switch_with_its_next_try_and_costs_no_attempt(bench: &Bench) {
    bench.admit(create("m-1", 1, IP)).await;
    let mut since = None;
    for failures in 1..=20 {
        let asked = bench.store.now().await.expect("the time");
        assert!(try_in_vain(bench, &bench.store, "sw-a", &unreachable()).await.finished.is_empty());
        let known = trouble(bench, "sw-a").await.expect("trouble");
        assert_eq!((known.code, known.text.as_str(), known.failures), (Code::Unreachable, "no route", failures));
        assert_eq!(*since.get_or_insert(known.since), known.since, "since the first of them");
        let middle_ms = 1_000 << (failures - 1).min(10);
        let (shortest, longest) = ((middle_ms / 2).min(20_000), (middle_ms * 3 / 2).min(20_000));
        let delay_ms = (known.next_try_at - asked).num_milliseconds();
        assert!((shortest..=longest + 1_000).contains(&delay_ms), "{failures}: {delay_ms}");
        assert_eq!(
            known,
            bench.store.switches().overview(&switch("sw-a")).await.expect("known").known.trouble.expect("it")
        );
    }
    let row = bench.row(IP).await;
    assert_eq!((row.status, row.attempts), (Status::Pending, 0));
    assert_eq!(bench.number("SELECT attempts FROM switch_work").await, 0);
    assert_eq!((bench.work("sw-a").await[0].attempts, bench.outcome("m-1").await), (0, None));
}

async fn rows_that_wait_say_why_once_for_each_reason(bench: &Bench) {
    bench.admit_all(&[create("m-1", 1, IP), create("m-2", 2, "10.0.2.10")]).await;
    let reason = async || {
        let row = bench.row(IP).await;
        (row.failure_code.unwrap_or_default(), row.failure_text.unwrap_or_default(), row.updated_at)
    };
    bench.fail("sw-a", &unreachable()).await;
    let (code, text, updated_at) = reason().await;
    assert_eq!((code.as_str(), text.as_str()), ("unreachable", "no route"));
    assert_eq!(bench.number("SELECT COUNT(*) FROM switch_work WHERE reason_code = 'unreachable'").await, 1);
    assert_eq!(bench.row("10.0.2.10").await.failure_code, None, "on another switch");
    // The same reason in other words changes no row, only what is said of the switch.
    bench.fail("sw-a", &Failure::new(Code::Unreachable, "still no route")).await;
    assert_eq!(reason().await, (code, text, updated_at));
    assert_eq!(trouble(bench, "sw-a").await.expect("trouble").text, "still no route");
    // What came meanwhile says it too.
    bench.admit(create("m-3", 1, "10.0.1.11")).await;
    bench.fail("sw-a", &unreachable()).await;
    assert_eq!(bench.row("10.0.1.11").await.failure_code.as_deref(), Some("unreachable"));
    assert_eq!(reason().await.2, updated_at);
    bench.fail("sw-a", &Failure::new(Code::LoginRefused, "wrong password")).await;
    assert_eq!(reason().await.0, "login_refused");
    bench.settle("sw-a").await;
    assert_eq!(bench.row(IP).await.failure_code, None);
}

async fn what_was_done_before_the_trouble_is_kept(bench: &Bench) {
    bench.admit_all(&[create("m-1", 1, IP), create("m-2", 1, "10.0.1.11")]).await;
    let mut pushed = bench.pushed("sw-a", |_, port| reached(end_of(port))).await;
    pushed.ends.truncate(1);
    let done = pushed.ends[0].wish.ip.to_string();
    let failure = Failure::new(Code::ConnectionLost, "the session broke");
    let lease = bench.lease("sw-a").await;
    let results = PushResults { whole: Some(&failure), ..pushed.results() };
    assert_eq!(bench.store.pushes().record(&lease, &results).await.expect("settled").finished.len(), 1);
    assert_eq!(bench.status(&done).await, Status::Active);
    let left = bench.work("sw-a").await;
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].vmac.failure_code.as_deref(), Some("connection_lost"));
    assert_eq!(trouble(bench, "sw-a").await.map(|trouble| trouble.failures), Some(1));
}

async fn a_success_ends_the_trouble(bench: &Bench) {
    bench.admit(create("m-1", 1, IP)).await;
    bench.fail("sw-a", &unreachable()).await;
    bench.fail("sw-a", &unreachable()).await;
    bench.settle("sw-a").await;
    let known = bench.store.switches().get(&switch("sw-a")).await.expect("a switch");
    assert_eq!(known.trouble, None);
    assert!(known.last_seen_at.is_some());
    bench.admit(create("m-2", 1, "10.0.1.11")).await;
    bench.fail("sw-a", &unreachable()).await;
    assert_eq!(trouble(bench, "sw-a").await.map(|trouble| trouble.failures), Some(1), "it begins anew");
}

async fn trouble_of_one_switch_is_not_that_of_another(bench: &Bench) {
    // Server 3 has a port on each.
    bench.admit(create("m-1", 3, "10.0.3.10")).await;
    bench.fail("sw-a", &unreachable()).await;
    assert_eq!(trouble(bench, "sw-b").await, None);
    bench.settle("sw-b").await;
    assert_eq!(bench.status("10.0.3.10").await, Status::Pending);
    bench.settle("sw-a").await;
    assert_eq!(bench.status("10.0.3.10").await, Status::Active);
}

async fn what_waited_for_too_long_ends_with_its_dead_letter_and_event(bench: &Bench) {
    let store = bench.with_retry(five_minutes()).await;
    bench.admit_all(&[create("m-1", 1, IP), issued(create("m-2", 1, IP), 1_500)]).await;
    for _ in 0..5 {
        assert!(try_in_vain(bench, &store, "sw-a", &unreachable()).await.finished.is_empty());
        assert_eq!((bench.status(IP).await, dead_letters(bench).await), (Status::Pending, 0));
        pass(bench, "sw-a", MINUTE_MS).await;
    }
    bench.events().await;
    let ended = try_in_vain(bench, &store, "sw-a", &unreachable()).await.finished;
    assert_eq!(ended.iter().map(|finished| finished.failed).collect::<Vec<_>>(), [Some(Code::Unreachable); 2]);
    let row = bench.row(IP).await;
    assert_eq!((row.status, row.failure_code.as_deref()), (Status::Failed, Some("unreachable")));
    assert!(row.failure_text.is_some_and(|text| text.contains("gave up after waiting for 300 s")));
    assert!(bench.work("sw-a").await.is_empty());
    let letters = bench.store.dead_letters().list(&DeadLetterFilter::default()).await.expect("dead letters");
    let told: Vec<_> = letters.iter().map(|letter| (letter.attempts, letter.switch.clone())).collect();
    assert_eq!(told, vec![(6, Some(switch("sw-a"))); 2]);
    let told = bench.events().await.into_iter().map(|event| {
        let body: Value = serde_json::from_str(&event.body).expect("JSON");
        (event.routing_key, body["dead_letter_id"].as_i64().expect("a number"))
    });
    let told: BTreeSet<_> = told.collect();
    assert_eq!(told, letters.iter().map(|letter| ("vmac.failed".to_owned(), letter.id)).collect());
    for key in ["m-1", "m-2"] {
        assert_eq!(bench.outcome(key).await.map(|outcome| outcome.status), Some(Outcome::Failed), "{key}");
    }
    // The switch is not given up: what comes next is tried.
    assert_eq!(trouble(bench, "sw-a").await.map(|trouble| trouble.failures), Some(6));
    bench.admit(issued(create("m-3", 1, IP), 2_000)).await;
    bench.settle("sw-a").await;
    assert_eq!(bench.status(IP).await, Status::Active);
}

async fn what_came_later_waits_for_its_own_time(bench: &Bench) {
    let store = bench.with_retry(five_minutes()).await;
    bench.admit(create("m-1", 1, IP)).await;
    for round in 0..=5 {
        if round == 3 {
            bench.admit(create("m-2", 1, "10.0.1.11")).await;
        }
        try_in_vain(bench, &store, "sw-a", &unreachable()).await;
        pass(bench, "sw-a", MINUTE_MS).await;
    }
    assert_eq!((bench.status(IP).await, bench.status("10.0.1.11").await), (Status::Failed, Status::Pending));
    for _ in 0..2 {
        try_in_vain(bench, &store, "sw-a", &unreachable()).await;
        pass(bench, "sw-a", MINUTE_MS).await;
    }
    assert_eq!(bench.status("10.0.1.11").await, Status::Pending);
    try_in_vain(bench, &store, "sw-a", &unreachable()).await;
    assert_eq!(bench.status("10.0.1.11").await, Status::Failed);
}

async fn a_revoke_that_waited_for_too_long_ends_too(bench: &Bench) {
    let store = bench.with_retry(five_minutes()).await;
    bench.admit(create("m-1", 1, IP)).await;
    bench.settle("sw-a").await;
    bench.admit(revoke("m-2", 1, IP)).await;
    for _ in 0..=5 {
        try_in_vain(bench, &store, "sw-a", &unreachable()).await;
        pass(bench, "sw-a", MINUTE_MS).await;
    }
    let outcome = bench.outcome("m-2").await.expect("an outcome");
    assert_eq!((outcome.status, outcome.code), (Outcome::Failed, Some(Code::Unreachable)));
    assert_eq!((bench.status(IP).await, dead_letters(bench).await), (Status::Failed, 1));
    bench.admit(issued(revoke("m-3", 1, IP), 5_000)).await;
    bench.settle("sw-a").await;
    assert_eq!(bench.status(IP).await, Status::Revoked);
}

async fn a_clock_that_jumps_a_day_adds_a_minute_at_most(bench: &Bench) {
    let store = bench.with_retry(five_minutes()).await;
    bench.admit(create("m-1", 1, IP)).await;
    try_in_vain(bench, &store, "sw-a", &unreachable()).await;
    assert_eq!(failing_ms(bench).await, 0);
    pass(bench, "sw-a", DAY_MS).await;
    try_in_vain(bench, &store, "sw-a", &unreachable()).await;
    assert_eq!(failing_ms(bench).await, 2 * MINUTE_MS, "the planned delay, and a minute");
    pass(bench, "sw-a", -DAY_MS).await;
    try_in_vain(bench, &store, "sw-a", &unreachable()).await;
    assert_eq!((failing_ms(bench).await, bench.status(IP).await), (2 * MINUTE_MS, Status::Pending), "put back");
}

async fn a_freeze_ends_nothing_however_long_it_lasts(bench: &Bench) {
    let store = bench.with_retry(five_minutes()).await;
    bench.admit(create("m-1", 1, IP)).await;
    let until = chrono::Utc::now() + chrono::TimeDelta::days(300);
    let order = FreezeOrder { site: Scope::All, until, reason: None, made_by: "alice".to_owned() };
    let frozen = bench.store.freezes().freeze(&order).await.expect("frozen").failure(&switch("sw-a"));
    for _ in 0..50 {
        try_in_vain(bench, &store, "sw-a", &frozen).await;
        pass(bench, "sw-a", MINUTE_MS).await;
    }
    assert_eq!((failing_ms(bench).await, bench.status(IP).await), (0, Status::Pending));
    assert_eq!(bench.row(IP).await.failure_code.as_deref(), Some("frozen"));
    // Nor does the time in which it was frozen count for the trouble after it.
    for _ in 0..5 {
        try_in_vain(bench, &store, "sw-a", &unreachable()).await;
        pass(bench, "sw-a", MINUTE_MS).await;
    }
    assert_eq!(bench.status(IP).await, Status::Pending);
    try_in_vain(bench, &store, "sw-a", &unreachable()).await;
    assert_eq!(bench.status(IP).await, Status::Failed);
}

async fn a_producer_is_told_once_that_its_command_waits(bench: &Bench) {
    bench.admit(create("m-1", 1, IP)).await;
    bench.fail("sw-a", &unreachable()).await;
    assert_eq!(bench.events().await, [], "a short trouble is not worth an event");
    let since_ms = bench.number("SELECT first_failed_at_ms FROM switch_work").await - 2 * MINUTE_MS;
    let two_minutes = format!("{} - {}", "failing_since_ms", 2 * MINUTE_MS);
    bench.execute(format!("UPDATE switch_leases SET failing_since_ms = {two_minutes}")).await;
    bench.execute(format!("UPDATE switch_work SET first_failed_at_ms = {since_ms}, queued_at_ms = {since_ms}")).await;
    // What has waited for a moment only is told in its own time.
    bench.admit(create("m-2", 1, "10.0.1.11")).await;
    bench.fail("sw-a", &unreachable()).await;
    let events = bench.events().await;
    assert_eq!(events.iter().map(|event| event.routing_key.as_str()).collect::<Vec<_>>(), ["vmac.waiting"]);
    let body: Value = serde_json::from_str(&events[0].body).expect("JSON");
    assert_eq!((&body["status"], &body["message_id"]), (&"waiting".into(), &"m-1".into()));
    assert_eq!((&body["reason"]["code"], &body["reason"]["text"]), (&"unreachable".into(), &"no route".into()));
    let since =
        chrono::DateTime::parse_from_rfc3339(body["waiting_since"].as_str().expect("a time")).expect("RFC 3339");
    assert_eq!(since.timestamp_millis(), since_ms);
    bench.fail("sw-a", &Failure::new(Code::LoginRefused, "wrong password")).await;
    assert_eq!(bench.events().await, [], "once");
    bench.settle("sw-a").await;
    let ends: Vec<_> = bench.events().await.into_iter().map(|event| event.routing_key).collect();
    assert_eq!(ends, ["vmac.active", "vmac.active"]);
}

async fn a_row_that_comes_during_the_trouble_says_why_it_waits_before_the_next_try(bench: &Bench) {
    bench.admit(create("m-1", 1, IP)).await;
    bench.fail("sw-a", &unreachable()).await;
    bench.admit_all(&[create("m-2", 1, "10.0.1.11"), create("m-3", 2, "10.0.2.11")]).await;
    let (here, elsewhere) = (bench.row("10.0.1.11").await, bench.row("10.0.2.11").await);
    assert_eq!((here.failure_code.as_deref(), here.failure_text.as_deref()), (Some("unreachable"), Some("no route")));
    assert_eq!((here.status, elsewhere.failure_code), (Status::Pending, None), "of another switch");
    bench.settle("sw-a").await;
    bench.admit(issued(revoke("m-4", 1, IP), 5_000)).await;
    assert_eq!((bench.row("10.0.1.11").await.failure_code, bench.row(IP).await.failure_code), (None, None));
}
