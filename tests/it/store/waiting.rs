//! Commands that cannot be done yet wait in the inbox, and are tried again by themselves.

use std::time::Duration;

use vmacd::domain::{Arrival, Code, Issued, RetryPolicy, Status};
use vmacd::store::{Admission, DeadLetterFilter, Incoming, Outcome, Store, WaitingCommand};

use super::bench::{Bench, create, issued, revoke, rng, rotate, take};

on_both_engines! {
    a_create_for_an_address_that_another_server_still_has_waits_until_it_is_off,
    a_command_that_waits_is_claimed_once_when_it_is_due,
    a_command_of_a_clock_that_was_put_back_does_not_wait_for_it,
    two_workers_never_claim_the_same_waiting_command,
    a_rotation_before_its_create_waits_and_is_done_after_it,
    what_was_not_possible_for_so_many_attempts_is_a_dead_letter,
    what_waited_for_an_address_for_too_long_is_a_dead_letter,
    a_newer_command_supersedes_one_that_waits,
    a_waiting_command_keeps_its_place_in_the_order,
    a_message_that_comes_again_is_the_command_that_waits,
}

const IP: &str = "10.0.2.10";

/// Server 2 has the address, and is losing it.
async fn releasing(bench: &Bench) {
    bench.admit(create("m-1", 2, IP)).await;
    bench.settle("sw-b").await;
    bench.admit(revoke("m-2", 2, IP)).await;
}

fn code_of(admission: &Admission) -> Option<Code> {
    match admission {
        Admission::Waits { failure } => Some(failure.code),
        _ => None,
    }
}

/// Everything that waits is due.
async fn make_due(bench: &Bench) {
    bench.execute("UPDATE commands SET due_at_ms = 0 WHERE outcome IS NULL AND vmac_id IS NULL".to_owned()).await;
}

/// A waiting command as a worker hands it in again.
fn again(waiting: WaitingCommand, as_it_came: &Incoming) -> Incoming {
    assert_eq!((&waiting.body, &waiting.command.key), (&as_it_came.body, &as_it_came.key));
    let arrival = Arrival { number: waiting.command.position.arrival, is_kept: true };
    Incoming { arrival, ..as_it_came.clone() }
}

async fn try_again(store: &Store, as_it_came: &Incoming) -> Admission {
    let mut claimed = store.intake().claim_waiting(10).await.expect("commands");
    assert_eq!(claimed.len(), 1, "{claimed:?}");
    let incoming = again(claimed.remove(0), as_it_came);
    store.intake().admit(&[incoming], &mut rng()).await.expect("admitted").remove(0)
}

async fn dead_letters(bench: &Bench) -> Vec<(String, i64)> {
    let letters = bench.store.dead_letters().list(&DeadLetterFilter::default()).await.expect("dead letters");
    letters.into_iter().map(|letter| (letter.reason_code, letter.attempts)).collect()
}

async fn a_create_for_an_address_that_another_server_still_has_waits_until_it_is_off(bench: &Bench) {
    releasing(bench).await;
    let message = issued(create("m-3", 1, IP), 3_000);
    assert_eq!(code_of(&bench.admit(message.clone()).await), Some(Code::AddressReleasing));
    assert_eq!((bench.outcome("m-3").await, dead_letters(bench).await.len()), (None, 0));
    assert!(bench.store.intake().claim_waiting(10).await.expect("commands").is_empty(), "not before its time");
    assert!(!bench.store.work().due().await.expect("an answer").commands);
    bench.settle("sw-b").await;
    assert!(bench.store.work().due().await.expect("an answer").commands, "at once when the address is free");
    assert!(matches!(try_again(&bench.store, &message).await, Admission::Work { .. }));
    bench.settle("sw-a").await;
    assert_eq!(bench.outcome("m-3").await.map(|outcome| outcome.status), Some(Outcome::Active));
    assert_eq!((bench.status(IP).await, dead_letters(bench).await.len()), (Status::Active, 0));
    assert!(!bench.store.work().due().await.expect("an answer").commands);
}

async fn a_command_of_a_clock_that_was_put_back_does_not_wait_for_it(bench: &Bench) {
    releasing(bench).await;
    let message = issued(create("m-3", 1, IP), 3_000);
    bench.admit(message.clone()).await;
    let later_ms = bench.store.now().await.expect("the time").timestamp_millis() + 86_400_000;
    bench
        .execute(format!("UPDATE commands SET due_at_ms = {later_ms} WHERE outcome IS NULL AND vmac_id IS NULL"))
        .await;
    assert!(bench.store.work().due().await.expect("an answer").commands);
    try_again(&bench.store, &message).await;
    assert!(!bench.store.work().due().await.expect("an answer").commands, "it waits by the right clock now");
}

async fn a_command_that_waits_is_claimed_once_when_it_is_due(bench: &Bench) {
    releasing(bench).await;
    let mut message = issued(create("m-3", 1, IP), 3_000);
    message.headers = serde_json::json!({"tenant": "a"});
    message.timestamp = Some(3);
    message.stamped_at_ms = Some(3_500);
    bench.admit(message.clone()).await;
    make_due(bench).await;
    let claimed = bench.store.intake().claim_waiting(10).await.expect("commands");
    let one = &claimed[0];
    assert_eq!((claimed.len(), &one.body, &one.headers), (1, &message.body, &message.headers));
    assert_eq!((one.timestamp, one.stamped_at_ms, one.command.attempts), (Some(3), Some(3_500), 1));
    assert_eq!(one.command.message_id.as_deref(), Some("m-3"));
    assert!(bench.another().await.intake().claim_waiting(10).await.expect("commands").is_empty(), "it is being tried");
    // The worker that claimed it died: another one may have it later.
    make_due(bench).await;
    assert_eq!(bench.another().await.intake().claim_waiting(10).await.expect("commands").len(), 1);
}

async fn two_workers_never_claim_the_same_waiting_command(bench: &Bench) {
    let group: Vec<_> = (0..60).map(|n| rotate(&format!("m-{n}"), 1, &format!("10.0.7.{}", n + 1))).collect();
    bench.admit_all(&group).await;
    make_due(bench).await;
    let (other, mut keys) = (bench.another().await, Vec::new());
    loop {
        let (mine, theirs) = tokio::join!(bench.store.intake().claim_waiting(7), other.intake().claim_waiting(7));
        let (mine, theirs) = (mine.expect("commands"), theirs.expect("commands"));
        if mine.is_empty() && theirs.is_empty() {
            break;
        }
        keys.extend(mine.into_iter().chain(theirs).map(|waiting| waiting.command.key.0));
    }
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 60);
}

async fn a_rotation_before_its_create_waits_and_is_done_after_it(bench: &Bench) {
    let message = rotate("m-2", 2, IP);
    assert_eq!(code_of(&bench.admit(message.clone()).await), Some(Code::NotBound));
    bench.admit(create("m-1", 2, IP)).await;
    bench.settle("sw-b").await;
    let before = bench.row(IP).await.mac_address;
    make_due(bench).await;
    assert!(matches!(try_again(&bench.store, &message).await, Admission::Work { .. }));
    assert_ne!(bench.row(IP).await.mac_address, before);
    bench.settle("sw-b").await;
    assert_eq!(bench.outcome("m-2").await.map(|outcome| outcome.status), Some(Outcome::Active));
}

async fn what_was_not_possible_for_so_many_attempts_is_a_dead_letter(bench: &Bench) {
    let store = bench.with_retry(RetryPolicy { attempts_max: 3, ..RetryPolicy::default() }).await;
    for message in [rotate("m-1", 1, "10.0.1.10"), take("m-2", 1, 2, "10.0.1.11")] {
        let first = store.intake().admit(std::slice::from_ref(&message), &mut rng()).await.expect("admitted").remove(0);
        assert_eq!(code_of(&first), Some(Code::NotBound));
        make_due(bench).await;
        assert_eq!(code_of(&try_again(&store, &message).await), Some(Code::NotBound));
        make_due(bench).await;
        let last = try_again(&store, &message).await;
        assert!(
            matches!(&last, Admission::Refused { failure } if failure.text.contains("after 3 attempts")),
            "{last:?}"
        );
        let outcome = bench.outcome(&message.key.0).await.expect("an outcome");
        assert_eq!((outcome.status, outcome.code), (Outcome::Failed, Some(Code::NotBound)));
        make_due(bench).await;
        assert!(store.intake().claim_waiting(10).await.expect("commands").is_empty());
    }
    assert_eq!(dead_letters(bench).await, vec![("not_bound".to_owned(), 3); 2]);
    assert_eq!(bench.number("SELECT COUNT(*) FROM intents").await, 0, "nothing is to come behind them");
    let events = bench.events().await;
    assert!(events.len() == 2 && events.iter().all(|event| event.body.contains("\"dead_letter_id\"")), "{events:?}");
}

async fn what_waited_for_an_address_for_too_long_is_a_dead_letter(bench: &Bench) {
    let minute = Duration::from_secs(60);
    let policy = RetryPolicy { delay_min: minute, delay_max: minute, age_max: 3 * minute, ..RetryPolicy::default() };
    let store = bench.with_retry(policy).await;
    releasing(bench).await;
    let message = issued(create("m-3", 1, IP), 3_000);
    store.intake().admit(std::slice::from_ref(&message), &mut rng()).await.expect("admitted");
    let mut tries = 1;
    // Only the time for which it was made to wait counts, a minute for each try; attempts are not counted against it.
    let end = loop {
        make_due(bench).await;
        tries += 1;
        match try_again(&store, &message).await {
            Admission::Waits { .. } => assert_eq!(bench.outcome("m-3").await, None),
            end => break end,
        }
    };
    assert_eq!(tries, 4);
    assert!(matches!(&end, Admission::Refused { failure } if failure.code == Code::AddressReleasing), "{end:?}");
    assert_eq!(dead_letters(bench).await, [("address_releasing".to_owned(), 4)]);
}

async fn a_newer_command_supersedes_one_that_waits(bench: &Bench) {
    releasing(bench).await;
    bench.admit(issued(create("m-3", 1, IP), 3_000)).await;
    bench.settle("sw-b").await;
    assert!(matches!(bench.admit(issued(revoke("m-4", 1, IP), 4_000)).await, Admission::Done { .. }));
    assert_eq!(bench.outcome("m-3").await.map(|outcome| outcome.status), Some(Outcome::Superseded));
    make_due(bench).await;
    assert!(bench.store.intake().claim_waiting(10).await.expect("commands").is_empty());
}

async fn a_waiting_command_keeps_its_place_in_the_order(bench: &Bench) {
    releasing(bench).await;
    let waits = super::bench::when(create("m-3", 1, IP), Issued::Unsaid);
    bench.admit(waits.clone()).await;
    let claimed = async || {
        make_due(bench).await;
        bench.store.intake().claim_waiting(10).await.expect("commands").remove(0)
    };
    let before = claimed().await.command.position;
    let incoming = again(claimed().await, &waits);
    bench.admit(incoming).await;
    assert_eq!(claimed().await.command.position, before, "however often it is tried");
}

async fn a_message_that_comes_again_is_the_command_that_waits(bench: &Bench) {
    releasing(bench).await;
    let message = issued(create("m-3", 1, IP), 3_000);
    let tries = "SELECT attempts * 1000000 + waited_ms FROM commands WHERE message_key = 'm-3'";
    assert_eq!(code_of(&bench.admit(message.clone()).await), Some(Code::AddressReleasing));
    let once = bench.number(tries).await;
    for _ in 0..100 {
        assert_eq!(code_of(&bench.admit(message.clone()).await), Some(Code::AddressReleasing));
    }
    assert_eq!(bench.number(tries).await, once, "only its own tries count");
    assert_eq!(bench.number("SELECT COUNT(*) FROM commands WHERE message_key = 'm-3'").await, 1);
    assert_eq!(bench.events().await.len(), 1, "of the create before");
    bench.settle("sw-b").await;
    assert!(matches!(bench.admit(message).await, Admission::Work { .. }));
    make_due(bench).await;
    assert!(bench.store.intake().claim_waiting(10).await.expect("commands").is_empty(), "it drives its row");
}
