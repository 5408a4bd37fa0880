//! Writing what a push came to.

use std::collections::HashMap;

use serde_json::Value;
use vmacd::domain::{BindingState, Code, Failure, RetryPolicy, Status};
use vmacd::store::{Admission, DeadLetterFilter, Outcome, VmacFilter, WorkItem, WorkPort};

use super::bench::{Bench, create, end_of, issued, reached, revoke, switch};

on_both_engines! {
    a_row_on_two_switches_is_active_when_both_hold_it,
    a_permanent_failure_on_one_switch_fails_the_row,
    a_failure_that_may_pass_is_counted_and_tried_later_with_a_growing_delay,
    the_last_attempt_fails_the_change_and_leaves_the_others_of_its_push_alone,
    a_failure_for_good_ends_the_command_with_its_dead_letter_and_event_at_once,
    copies_of_one_message_share_a_dead_letter,
    a_new_intent_begins_with_all_its_attempts,
    a_result_for_an_older_intent_finishes_nothing,
    a_failed_row_is_tried_again_by_a_new_create,
    a_failed_row_can_be_revoked,
    rows_are_found_by_their_status,
    a_revoke_of_a_failed_row_that_comes_again_does_not_begin_again,
    a_result_that_comes_late_does_not_touch_a_row_that_was_revoked,
}

const IP: &str = "10.0.1.10";

fn refused() -> Failure {
    Failure::new(Code::RefusedBySwitch, "the switch said no")
}

fn differs() -> Failure {
    Failure::new(Code::ReadBackDiffers, "committed, but not there")
}

async fn a_row_on_two_switches_is_active_when_both_hold_it(bench: &Bench) {
    let ip = "10.0.3.10";
    bench.admit(create("m-1", 3, ip)).await;
    assert!(bench.settle("sw-a").await.finished.is_empty());
    assert_eq!(bench.status(ip).await, Status::Pending);
    assert_eq!(bench.settle("sw-b").await.finished.len(), 1);
    let row = bench.row(ip).await;
    assert_eq!(row.status, Status::Active);
    assert!(row.activated_at.is_some());
    assert_eq!(row.vlan_name.as_ref().map(ToString::to_string).as_deref(), Some("v100"));
    assert!(row.switch_bindings.iter().all(|binding| binding.push_id.as_deref() == Some("push-1")), "{row:?}");
}

async fn a_permanent_failure_on_one_switch_fails_the_row(bench: &Bench) {
    let ip = "10.0.3.10";
    bench.admit(create("m-1", 3, ip)).await;
    bench.settle("sw-a").await;
    let finished = bench.fail("sw-b", &refused()).await.finished;
    assert_eq!(finished[0].failed, Some(Code::RefusedBySwitch));
    assert_eq!(bench.outcome("m-1").await.map(|outcome| outcome.status), Some(Outcome::Failed));
    let row = bench.row(ip).await;
    assert_eq!((row.status, row.failure_code.as_deref()), (Status::Failed, Some("refused_by_switch")));
    let states: Vec<_> = row.switch_bindings.iter().map(|binding| binding.state).collect();
    assert_eq!(states, [BindingState::Bound, BindingState::Failed], "what is bound on sw-a is not forgotten");
    assert!(bench.work("sw-b").await.is_empty(), "it is not pushed for ever");
}

/// Attempts on sw-a, and how long after now the row is tried again, milliseconds.
async fn retry_of(bench: &Bench) -> (i64, i64) {
    let due_at_ms = bench.number("SELECT due_at_ms FROM switch_work WHERE switch = 'sw-a'").await;
    let now_ms = bench.store.now().await.expect("the time").timestamp_millis();
    (bench.number("SELECT attempts FROM switch_work WHERE switch = 'sw-a'").await, due_at_ms - now_ms)
}

async fn a_failure_that_may_pass_is_counted_and_tried_later_with_a_growing_delay(bench: &Bench) {
    bench.admit(create("m-1", 1, IP)).await;
    for attempt in 1..=5 {
        let settled = bench.fail("sw-a", &differs()).await;
        assert!(settled.finished.is_empty() && !settled.lease_kept);
        let (attempts, delay_ms) = retry_of(bench).await;
        // Doubled from a second on, with up to half of it added or taken; a moment has passed since.
        let middle_ms = 1_000 << (attempt - 1);
        assert!((middle_ms / 2 - 400..=middle_ms * 3 / 2).contains(&delay_ms), "{attempt}: {delay_ms}");
        let row = bench.row(IP).await;
        assert_eq!((row.status, row.attempts, attempts), (Status::Pending, attempt, attempt));
        assert_eq!(row.failure_text.as_deref(), Some("committed, but not there"), "the row says why it waits");
        assert!(
            bench.store.switches().get(&"sw-a".parse().expect("a name")).await.expect("a switch").trouble.is_none()
        );
        assert!(attempt == 1 || bench.work("sw-a").await.is_empty(), "not before its time");
        bench.make_due().await;
    }
    bench.settle("sw-a").await;
    let row = bench.row(IP).await;
    assert_eq!((row.status, row.failure_code), (Status::Active, None));
    assert_eq!(bench.store.dead_letters().list(&DeadLetterFilter::default()).await.expect("dead letters").len(), 0);
}

async fn the_last_attempt_fails_the_change_and_leaves_the_others_of_its_push_alone(bench: &Bench) {
    let store = bench.with_retry(RetryPolicy { attempts_max: 3, ..RetryPolicy::default() }).await;
    bench.admit(create("m-1", 1, IP)).await;
    let mine = bench.row(IP).await.id;
    for attempt in 1..=3 {
        // Another change in the same push, a new one each time.
        let other = format!("10.0.1.{}", 100 + attempt);
        bench.admit(create(&format!("other-{attempt}"), 1, &other)).await;
        let end = |item: &WorkItem, port: &WorkPort| match item.vmac.id == mine {
            true => Err(differs()),
            false => reached(end_of(port)),
        };
        let pushed = bench.pushed("sw-a", end).await;
        assert_eq!(pushed.ends.len(), 2);
        let settled = store.pushes().record(&bench.lease("sw-a").await, &pushed.results()).await.expect("settled");
        assert_eq!(settled.finished.len(), if attempt < 3 { 1 } else { 2 });
        assert_eq!(bench.status(&other).await, Status::Active);
        assert_eq!(bench.status(IP).await, if attempt < 3 { Status::Pending } else { Status::Failed });
        bench.make_due().await;
    }
    let outcome = bench.outcome("m-1").await.expect("an outcome");
    assert_eq!((outcome.status, outcome.code), (Outcome::Failed, Some(Code::ReadBackDiffers)));
    assert!(outcome.text.as_deref().is_some_and(|text| text.ends_with("(gave up after 3 attempts)")), "{outcome:?}");
    let letters = store.dead_letters().list(&DeadLetterFilter::default()).await.expect("dead letters");
    assert_eq!((letters.len(), letters[0].attempts, letters[0].message_id.as_deref()), (1, 3, Some("m-1")));
    assert!(bench.work("sw-a").await.is_empty(), "it is not pushed for ever");
}

async fn a_failure_for_good_ends_the_command_with_its_dead_letter_and_event_at_once(bench: &Bench) {
    let message = create("m-1", 1, IP);
    bench.admit(message.clone()).await;
    bench.fail("sw-a", &refused()).await;
    let letters = bench.store.dead_letters().list(&DeadLetterFilter::default()).await.expect("dead letters");
    assert_eq!(letters.len(), 1);
    let (letter, full) = (&letters[0], bench.store.dead_letters().get(letters[0].id).await.expect("found"));
    assert_eq!((letter.reason_code.as_str(), letter.error_text.as_str()), ("refused_by_switch", "the switch said no"));
    assert_eq!((letter.attempts, letter.copies, letter.switch.as_ref()), (1, 1, Some(&switch("sw-a"))));
    assert_eq!((&full.body, letter.routing_key.as_str()), (&message.body, "vmac.create"), "what was published");
    let events = bench.events().await;
    let body: Value = serde_json::from_str(&events[0].body).expect("JSON");
    assert_eq!((events.len(), events[0].routing_key.as_str()), (1, "vmac.failed"), "{events:?}");
    assert_eq!((&body["dead_letter_id"], &body["message_id"]), (&letter.id.into(), &"m-1".into()));
    // Whoever asks again gets the same answer, and no second letter.
    bench.admit(message).await;
    assert_eq!(bench.store.dead_letters().list(&DeadLetterFilter::default()).await.expect("dead letters")[0].copies, 2);
}

async fn copies_of_one_message_share_a_dead_letter(bench: &Bench) {
    // A producer without ids sends the same message twice: two commands.
    let copy = |key: &str, at_ms| {
        let mut copy = issued(create(key, 1, IP), at_ms);
        copy.message_identity = "the same".to_owned();
        copy
    };
    bench.admit_all(&[copy("m-1", 1_000), copy("m-2", 1_001)]).await;
    assert_eq!(bench.fail("sw-a", &refused()).await.finished.len(), 2);
    let letters = bench.store.dead_letters().list(&DeadLetterFilter::default()).await.expect("dead letters");
    let copies: HashMap<_, _> = letters.iter().map(|letter| (letter.message_key.as_deref(), letter.copies)).collect();
    assert_eq!(copies, [(Some("m-2"), 2)].into());
    let told = bench.events().await;
    let letter_of = |event: &vmacd::store::Event| {
        serde_json::from_str::<Value>(&event.body).expect("JSON")["dead_letter_id"].clone()
    };
    assert_eq!(told.iter().map(letter_of).collect::<Vec<_>>(), [letters[0].id, letters[0].id]);
}

async fn a_new_intent_begins_with_all_its_attempts(bench: &Bench) {
    bench.admit(create("m-1", 1, IP)).await;
    bench.fail("sw-a", &differs()).await;
    assert!(bench.work("sw-a").await.is_empty());
    bench.admit(revoke("m-2", 1, IP)).await;
    let work = bench.work("sw-a").await;
    assert_eq!((work.len(), work[0].attempts), (1, 0), "due at once");
    // What asks for the same again changes neither attempts nor times.
    bench.fail("sw-a", &differs()).await;
    bench.admit(issued(revoke("m-3", 1, IP), 4_000)).await;
    assert_eq!(retry_of(bench).await.0, 1);
    assert!(bench.work("sw-a").await.is_empty());
}

async fn a_result_for_an_older_intent_finishes_nothing(bench: &Bench) {
    bench.admit(create("m-1", 1, IP)).await;
    let pushed = bench.pushed("sw-a", |_, port| reached(end_of(port))).await;
    bench.admit(revoke("m-2", 1, IP)).await;
    assert!(bench.settle_with("sw-a", &pushed).await.finished.is_empty());
    assert_eq!(bench.row(IP).await.switch_bindings[0].state, BindingState::Pending, "it is to be looked at again");
    assert_eq!(bench.work("sw-a").await.len(), 1, "the revoke still waits for the switch");
    assert_eq!(bench.settle("sw-a").await.finished.len(), 1);
    assert_eq!(bench.outcome("m-2").await.map(|outcome| outcome.status), Some(Outcome::Revoked));
    assert_eq!(bench.status(IP).await, Status::Revoked);
}

async fn a_failed_row_is_tried_again_by_a_new_create(bench: &Bench) {
    bench.admit(create("m-1", 1, IP)).await;
    bench.fail("sw-a", &refused()).await;
    let mac = bench.row(IP).await.mac_address;
    let again = bench.admit(issued(create("m-2", 1, IP), 3_000)).await;
    assert!(matches!(again, Admission::Work { .. }), "{again:?}");
    bench.settle("sw-a").await;
    let row = bench.row(IP).await;
    assert_eq!((row.status, row.mac_address), (Status::Active, mac));
}

async fn a_failed_row_can_be_revoked(bench: &Bench) {
    bench.admit(create("m-1", 1, IP)).await;
    bench.fail("sw-a", &refused()).await;
    bench.admit(revoke("m-2", 1, IP)).await;
    assert_eq!(bench.work("sw-a").await.len(), 1, "the switch is asked: something may be bound there");
    let row = bench.row(IP).await;
    assert_eq!((row.status, row.failure_code.as_deref()), (Status::Failed, Some("refused_by_switch")), "it says why");
    bench.settle("sw-a").await;
    assert_eq!(bench.status(IP).await, Status::Revoked);
}

async fn rows_are_found_by_their_status(bench: &Bench) {
    let [active, revoked, failed, pending] = ["10.0.1.10", "10.0.1.11", "10.0.1.12", "10.0.1.13"];
    for (key, ip) in [("m-1", active), ("m-2", revoked)] {
        bench.admit(create(key, 1, ip)).await;
    }
    bench.settle("sw-a").await;
    bench.admit(revoke("m-3", 1, revoked)).await;
    bench.settle("sw-a").await;
    bench.admit(create("m-4", 1, failed)).await;
    bench.fail("sw-a", &refused()).await;
    bench.admit(create("m-5", 1, pending)).await;
    bench.fail("sw-a", &differs()).await;
    let found = async |filter: VmacFilter| -> Vec<String> {
        let rows = bench.store.vmacs().find(&filter).await.expect("rows");
        rows.iter().map(|row| row.ip_address.to_string()).collect()
    };
    let by_status =
        [(Status::Active, active), (Status::Revoked, revoked), (Status::Failed, failed), (Status::Pending, pending)];
    for (status, ip) in by_status {
        assert_eq!(found(VmacFilter { status: Some(status), ..VmacFilter::default() }).await, [ip], "{status}");
        assert_eq!(
            bench
                .store
                .vmacs()
                .count(&VmacFilter { status: Some(status), ..VmacFilter::default() })
                .await
                .expect("a count"),
            1,
            "{status}"
        );
        assert_eq!(found(VmacFilter { ip: ip.parse().ok(), ..VmacFilter::default() }).await, [ip], "live or not");
    }
    let counts = bench.store.statistics().counts().await.expect("counts");
    assert_eq!((counts.rows_pending, counts.rows_failed), (1, 1));
}

async fn a_revoke_of_a_failed_row_that_comes_again_does_not_begin_again(bench: &Bench) {
    bench.admit(create("m-1", 1, IP)).await;
    bench.fail("sw-a", &refused()).await;
    bench.admit(revoke("m-2", 1, IP)).await;
    let begun = bench.row(IP).await.generation;
    bench.fail("sw-a", &differs()).await;
    bench.admit(revoke("m-2", 1, IP)).await;
    let row = bench.row(IP).await;
    assert_eq!((row.generation, row.attempts), (begun, 1), "a push in flight stays one for this intent");
    bench.make_due().await;
    bench.fail("sw-a", &refused()).await;
    bench.admit(issued(revoke("m-3", 1, IP), 5_000)).await;
    assert_eq!(bench.row(IP).await.generation, begun + 1, "what failed for good begins again");
}

async fn a_result_that_comes_late_does_not_touch_a_row_that_was_revoked(bench: &Bench) {
    bench.admit(create("m-1", 1, IP)).await;
    let late = bench.pushed("sw-a", |_, _| Err(refused())).await;
    bench.admit(revoke("m-2", 1, IP)).await;
    bench.settle("sw-a").await;
    let row = bench.row(IP).await;
    assert_eq!(row.status, Status::Revoked);
    assert!(bench.settle_with("sw-a", &late).await.finished.is_empty());
    assert_eq!(bench.status(IP).await, Status::Revoked);
    assert_eq!(bench.outcome("m-2").await.map(|outcome| outcome.status), Some(Outcome::Revoked));
}
