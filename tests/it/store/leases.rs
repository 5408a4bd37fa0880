//! One worker at a time pushes to a switch.

use std::time::Duration;

use serde_json::json;
use sqlx::{Connection, Executor, PgConnection};
use vmacd::domain::{Code, Failure, SiteName};
use vmacd::store::{Lease, PushBefore, PushResults, PushState, Renewed, SentPush, SiteLimits, Store, StoreError};

use super::bench::{Bench, LONG, Pushed, create, end_of, reached, switch};
use crate::support::eventually;

on_both_engines! {
    one_worker_at_a_time_has_the_lease,
    the_token_grows_with_every_acquisition,
    a_lease_that_ran_out_goes_to_the_next,
    a_lease_that_ran_out_untaken_can_be_renewed,
    of_many_workers_one_gets_the_lease,
    leases_are_renewed_together_and_those_that_are_lost_are_told,
    a_settlement_that_keeps_the_lease_renews_it,
    the_journal_has_a_push_from_before_its_commit_until_its_end_is_known,
    pushes_of_one_backup_keep_it_once,
    a_configuration_that_was_read_ahead_is_the_backup_of_its_push,
    a_push_to_a_switch_that_the_inventory_no_longer_has_is_not_opened,
    nothing_of_a_push_is_written_under_another_token_or_holder,
    a_holder_that_was_paused_until_another_took_over_changes_nothing,
    what_is_said_twice_or_after_its_own_release_touches_nothing,
    work_that_comes_during_a_push_keeps_the_lease,
    what_a_push_came_to_is_written_under_the_lease_of_its_own_switch_alone,
}

const SHORT: Duration = Duration::from_millis(30);

async fn one_worker_at_a_time_has_the_lease(bench: &Bench) {
    let lease = bench.lease("sw-a").await;
    let other = bench.another().await;
    assert_eq!(other.leases().acquire(&switch("sw-a"), "worker-2", LONG).await.expect("an answer"), None);
    assert!(bench.store.leases().holds(&lease).await.expect("an answer"));
    assert!(other.leases().acquire(&switch("sw-b"), "worker-2", LONG).await.expect("an answer").is_some());
    bench.store.leases().release(&lease).await.expect("released");
    assert!(!bench.store.leases().holds(&lease).await.expect("an answer"));
    assert!(other.leases().acquire(&switch("sw-a"), "worker-2", LONG).await.expect("an answer").is_some());
}

async fn the_token_grows_with_every_acquisition(bench: &Bench) {
    let mut tokens = Vec::new();
    for _ in 0..5 {
        let lease = bench.lease("sw-a").await;
        tokens.push(lease.token);
        bench.store.leases().release(&lease).await.expect("released");
    }
    assert!(tokens.is_sorted_by(|earlier, later| earlier < later), "{tokens:?}");
}

async fn a_lease_that_ran_out_goes_to_the_next(bench: &Bench) {
    let name = switch("sw-a");
    let stale = bench.store.leases().acquire(&name, "worker-1", SHORT).await.expect("an answer").expect("a lease");
    let next = eventually("the lease runs out", async || {
        bench.store.leases().acquire(&name, "worker-2", LONG).await.expect("an answer")
    })
    .await;
    assert!(next.token > stale.token);
    let renewed = bench.store.leases().renew(std::slice::from_ref(&stale), LONG).await.expect("an answer");
    assert_eq!(renewed, Renewed::default(), "the old holder learns that it lost it");
    bench.store.leases().release(&stale).await.expect("an answer");
    assert!(bench.store.leases().holds(&next).await.expect("an answer"), "and cannot give away what it has not");
}

async fn a_lease_that_ran_out_untaken_can_be_renewed(bench: &Bench) {
    let lease =
        bench.store.leases().acquire(&switch("sw-a"), "worker-1", SHORT).await.expect("an answer").expect("a lease");
    eventually("the lease runs out", async || !bench.store.leases().holds(&lease).await.expect("an answer")).await;
    let renewed = bench.store.leases().renew(std::slice::from_ref(&lease), LONG).await.expect("an answer");
    assert_eq!(renewed.held, [switch("sw-a")]);
    assert!(bench.store.leases().holds(&lease).await.expect("an answer"));
}

async fn of_many_workers_one_gets_the_lease(bench: &Bench) {
    let other = bench.another().await;
    for round in 0..10 {
        let name = switch(&format!("sw-{round}"));
        let tries = (0..8).map(|worker| {
            let (store, name) = (if worker % 2 == 0 { &bench.store } else { &other }, name.clone());
            async move { store.leases().acquire(&name, &format!("worker-{worker}"), LONG).await.expect("an answer") }
        });
        let got = futures_util::future::join_all(tries).await;
        assert_eq!(got.iter().flatten().count(), 1, "{got:?}");
    }
}

/// Anything may be committed, whatever is frozen.
pub const NO_LIMITS: SiteLimits = SiteLimits { heeds_freezes: false, commits_per_minute_max: 0 };

/// A push whose commit is about to be sent.
pub fn sent(id: &str) -> SentPush<'_> {
    SentPush { id, plan: json!([1, 2]), changes: 2, before: PushBefore::Text(b"system;"), backup_id: None }
}

async fn unresolved(store: &Store, lease: &Lease) -> Vec<String> {
    let opened = store.pushes().open(lease, NO_LIMITS).await.expect("an answer");
    opened.unresolved.into_iter().map(|push| push.id).collect()
}

async fn state_of(store: &Store, id: &str) -> String {
    store.pushes().get(id).await.expect("a push").state
}

async fn the_journal_has_a_push_from_before_its_commit_until_its_end_is_known(bench: &Bench) {
    let (store, first) = (&bench.store, bench.lease("sw-a").await);
    assert!(unresolved(store, &first).await.is_empty());
    for id in ["p-1", "p-2", "p-3"] {
        store.pushes().record_sent(&first, &sent(id), NO_LIMITS).await.expect("written down").expect("allowed");
    }
    let known = store.pushes().get("p-1").await.expect("a push");
    assert_eq!((known.state.as_str(), known.plan, known.changes), ("sent", Some(json!([1, 2])), 2));
    assert!(known.sent_at.is_some() && known.finished_at.is_none() && known.backup_id.is_some());
    store.leases().release(&first).await.expect("released");
    let next = bench.another().await;
    let lease =
        next.leases().acquire(&switch("sw-a"), "worker-2", LONG).await.expect("an answer").expect("a free lease");
    assert_eq!(unresolved(&next, &lease).await, ["p-1", "p-2", "p-3"], "the next worker finds them");
    let ends = ends([("p-1", PushState::Confirmed), ("p-2", PushState::Refused), ("p-3", PushState::NotApplied)]);
    next.pushes().record(&lease, &PushResults { ends: &ends, ..PushResults::default() }).await.expect("written down");
    for (id, state) in [("p-1", "confirmed"), ("p-2", "refused"), ("p-3", "not_applied")] {
        let known = store.pushes().get(id).await.expect("a push");
        assert_eq!((known.state.as_str(), known.finished_at.is_some()), (state, true));
    }
    let lease = bench.lease("sw-a").await;
    assert!(unresolved(store, &lease).await.is_empty());
}

async fn pushes_of_one_backup_keep_it_once(bench: &Bench) {
    let (store, lease) = (&bench.store, bench.lease("sw-a").await);
    let kept =
        store.pushes().record_sent(&lease, &sent("p-1"), NO_LIMITS).await.expect("written down").expect("allowed");
    let again = SentPush { backup_id: Some(kept), ..sent("p-2") };
    assert_eq!(store.pushes().record_sent(&lease, &again, NO_LIMITS).await.expect("written down"), Ok(kept));
    assert_eq!(bench.number("SELECT COUNT(*) FROM config_backups").await, 1);
}

async fn a_configuration_that_was_read_ahead_is_the_backup_of_its_push(bench: &Bench) {
    let (store, lease) = (&bench.store, bench.lease("sw-a").await);
    let hash = store.backups().keep_content(&switch("sw-a"), b"read ahead \xe9").await.expect("kept");
    assert_eq!(store.backups().keep_content(&switch("sw-a"), b"read ahead \xe9").await.expect("kept once"), hash);
    assert_eq!(bench.number("SELECT COUNT(*) FROM config_backups").await, 0, "it is no backup of anything yet");
    let push = SentPush { before: PushBefore::Stored(&hash), ..sent("p-1") };
    let backup = store.pushes().record_sent(&lease, &push, NO_LIMITS).await.expect("written down").expect("allowed");
    let (backup, content) = store.backups().get(backup).await.expect("found");
    assert_eq!((backup.push_id.as_deref(), content.as_slice()), (Some("p-1"), b"read ahead \xe9".as_slice()));
    let gone = SentPush { before: PushBefore::Stored("another"), ..sent("p-2") };
    store.pushes().record_sent(&lease, &gone, NO_LIMITS).await.expect_err("nothing of that name is kept");
    assert!(store.pushes().get("p-2").await.is_err(), "nothing of the push was written");
}

async fn a_push_to_a_switch_that_the_inventory_no_longer_has_is_not_opened(bench: &Bench) {
    let lease = bench.lease("sw-gone").await;
    let refused = bench.store.pushes().open(&lease, NO_LIMITS).await;
    assert!(matches!(refused, Err(StoreError::NotFound { what: "switch", .. })), "{refused:?}");
}

fn ends<const N: usize>(ends: [(&str, PushState); N]) -> Vec<(String, PushState)> {
    ends.into_iter().map(|(id, state)| (id.to_owned(), state)).collect()
}

/// Not the lease: the token of another one, and the holder of another one. Both are there after an older copy of the
/// database came back: its tokens are handed out a second time.
fn impostors(lease: &Lease) -> [Lease; 3] {
    let other = |holder: &str, token: i64| Lease { switch: lease.switch.clone(), holder: holder.to_owned(), token };
    [other("worker-2", lease.token), other(&lease.holder, lease.token + 1), other("", lease.token)]
}

#[track_caller]
fn assert_lost<T: std::fmt::Debug>(refused: Result<T, StoreError>) {
    assert!(matches!(refused, Err(StoreError::LeaseLost { .. })), "{refused:?}");
}

/// Everything that a push under this lease would write, and that nothing of it is written.
async fn assert_shut_out(bench: &Bench, stale: &Lease, pushed: &Pushed) {
    let store = &bench.store;
    let picture = async || {
        let row = bench.row("10.0.1.7").await;
        let known = store.switches().get(&stale.switch).await.expect("a switch");
        let lease = bench.number("SELECT CAST(SUM(token) + SUM(expires_at_ms) AS BIGINT) FROM switch_leases").await;
        (row, known.trouble, known.last_seen_at, state_of(store, "p-1").await, lease)
    };
    let (before, ends) = (picture().await, ends([("p-1", PushState::Confirmed)]));
    assert_eq!(store.leases().renew(std::slice::from_ref(stale), LONG).await.expect("an answer"), Renewed::default());
    assert!(!store.leases().holds(stale).await.expect("an answer"));
    assert_lost(store.pushes().open(stale, NO_LIMITS).await);
    assert_lost(store.pushes().record_sent(stale, &sent("p-2"), NO_LIMITS).await);
    assert_lost(store.pushes().record(stale, &PushResults { ends: &ends, ..pushed.results() }).await);
    let trouble = Failure::new(Code::Unreachable, "no route");
    assert_lost(
        store.pushes().record(stale, &PushResults { whole: Some(&trouble), ends: &ends, ..pushed.results() }).await,
    );
    let unknown = Failure::new(Code::UnknownSwitch, "gone");
    assert_lost(store.pushes().record(stale, &PushResults { whole: Some(&unknown), ..PushResults::default() }).await);
    store.leases().release(stale).await.expect("an answer");
    assert_eq!(picture().await, before, "{stale:?}");
    let missing = store.pushes().get("p-2").await;
    assert!(matches!(missing, Err(StoreError::NotFound { .. })), "{missing:?}");
    assert_eq!(bench.events().await, []);
}

async fn nothing_of_a_push_is_written_under_another_token_or_holder(bench: &Bench) {
    let store = &bench.store;
    bench.admit(create("m-1", 1, "10.0.1.7")).await;
    let pushed = bench.pushed("sw-a", |_, port| reached(end_of(port))).await;
    let lease = bench.lease("sw-a").await;
    store.pushes().record_sent(&lease, &sent("p-1"), NO_LIMITS).await.expect("written down").expect("allowed");
    for other in impostors(&lease) {
        assert_shut_out(bench, &other, &pushed).await;
    }
    assert_eq!(
        store.leases().renew(std::slice::from_ref(&lease), LONG).await.expect("an answer").held,
        [switch("sw-a")]
    );
    let ends = ends([("p-1", PushState::Confirmed)]);
    let settled =
        store.pushes().record(&lease, &PushResults { ends: &ends, ..pushed.results() }).await.expect("written down");
    assert_eq!((settled.finished.len(), state_of(store, "p-1").await.as_str()), (1, "confirmed"));
}

async fn a_holder_that_was_paused_until_another_took_over_changes_nothing(bench: &Bench) {
    let store = &bench.store;
    bench.admit(create("m-1", 1, "10.0.1.7")).await;
    let pushed = bench.pushed("sw-a", |_, port| reached(end_of(port))).await;
    let stale = claimed(store.leases().claim_due("worker-1", 1, LONG, &[]).await).remove(0);
    store.pushes().record_sent(&stale, &sent("p-1"), NO_LIMITS).await.expect("written down").expect("allowed");
    // It is paused until its time has run out.
    bench.execute("UPDATE switch_leases SET expires_at_ms = 1".to_owned()).await;
    let other = bench.another().await;
    let next = claimed(other.leases().claim_due("worker-2", 1, LONG, &[]).await).remove(0);
    assert!(next.token > stale.token);
    assert_shut_out(bench, &stale, &pushed).await;
    assert_eq!(unresolved(&other, &next).await, ["p-1"], "what it sent is found");
    other.pushes().record(&next, &pushed.results()).await.expect("written down");
}

async fn what_is_said_twice_or_after_its_own_release_touches_nothing(bench: &Bench) {
    let store = &bench.store;
    bench.admit(create("m-1", 1, "10.0.1.7")).await;
    let pushed = bench.pushed("sw-a", |_, port| reached(end_of(port))).await;
    let released = bench.lease("sw-a").await;
    store.pushes().record_sent(&released, &sent("p-1"), NO_LIMITS).await.expect("written down").expect("allowed");
    store.leases().release(&released).await.expect("released");
    assert_shut_out(bench, &released, &pushed).await;
    // The same for a lease that went with the results, and for one that went with trouble.
    let trouble = Failure::new(Code::Unreachable, "no route");
    let troubled = bench.lease("sw-a").await;
    store
        .pushes()
        .record(&troubled, &PushResults { whole: Some(&trouble), ..PushResults::default() })
        .await
        .expect("settled");
    assert_shut_out(bench, &troubled, &pushed).await;
    let settled = bench.lease("sw-a").await;
    assert!(!store.pushes().record(&settled, &pushed.results()).await.expect("settled").lease_kept);
    assert_eq!(bench.events().await.len(), 1);
    assert_shut_out(bench, &settled, &pushed).await;
}

async fn what_a_push_came_to_is_written_under_the_lease_of_its_own_switch_alone(bench: &Bench) {
    let store = &bench.store;
    let (a, b) = (bench.lease("sw-a").await, bench.lease("sw-b").await);
    store.pushes().record_sent(&a, &sent("p-1"), NO_LIMITS).await.expect("written down").expect("allowed");
    let ends = ends([("p-1", PushState::Confirmed)]);
    store.pushes().record(&b, &PushResults { ends: &ends, ..PushResults::default() }).await.expect("written down");
    assert_eq!(state_of(store, "p-1").await, "sent");
}

async fn leases_are_renewed_together_and_those_that_are_lost_are_told(bench: &Bench) {
    let store = &bench.store;
    let (a, b) = (bench.lease("sw-a").await, bench.lease("sw-b").await);
    store.leases().release(&a).await.expect("released");
    let renewed = store.leases().renew(&[a, b], LONG).await.expect("an answer");
    assert_eq!(renewed, Renewed { held: vec![switch("sw-b")], busy: Vec::new() });
    assert_eq!(store.leases().renew(&[], LONG).await.expect("an answer"), Renewed::default());
}

/// Another connection has a lease's row, as a settlement has it until its commit is on the disk.
#[tokio::test]
async fn a_lease_whose_row_is_locked_holds_up_no_other_lease_and_is_not_lost() {
    let bench = Bench::postgres().await;
    let leases = [bench.lease("sw-a").await, bench.lease("sw-b").await];
    let mut other = PgConnection::connect(bench.url()).await.expect("a database");
    let mut settling = other.begin().await.expect("a transaction");
    let lock = "UPDATE switch_leases SET token = token + 1 WHERE switch = 'sw-a'";
    settling.execute(lock).await.expect("locked");
    let renewing = bench.store.leases().renew(&leases, LONG);
    let renewed = tokio::time::timeout(LONG / 6, renewing).await.expect("it waits for nobody").expect("an answer");
    assert_eq!(renewed, Renewed { held: vec![switch("sw-b")], busy: vec![switch("sw-a")] });
    settling.rollback().await.expect("undone");
    let renewed = bench.store.leases().renew(&leases, LONG).await.expect("an answer");
    assert_eq!(renewed, Renewed { held: vec![switch("sw-a"), switch("sw-b")], busy: Vec::new() });
    other.execute(lock).await.expect("taken over");
    let renewed = bench.store.leases().renew(&leases, LONG).await.expect("an answer");
    assert_eq!(renewed, Renewed { held: vec![switch("sw-b")], busy: Vec::new() }, "now it is lost");
}

async fn a_settlement_that_keeps_the_lease_renews_it(bench: &Bench) {
    let store = &bench.store;
    bench.admit(create("m-1", 1, "10.0.1.7")).await;
    let lease = store.leases().acquire(&switch("sw-a"), "worker-1", SHORT).await.expect("an answer").expect("a lease");
    let pushed = bench.pushed("sw-a", |_, port| reached(end_of(port))).await;
    bench.admit(create("m-2", 1, "10.0.1.8")).await;
    eventually("the lease runs out", async || !store.leases().holds(&lease).await.expect("an answer")).await;
    let results = PushResults { keep_for: LONG, ..pushed.results() };
    assert!(store.pushes().record(&lease, &results).await.expect("settled").lease_kept);
    assert!(store.leases().holds(&lease).await.expect("an answer"));
}

async fn work_that_comes_during_a_push_keeps_the_lease(bench: &Bench) {
    let store = &bench.store;
    bench.admit(create("m-1", 1, "10.0.1.7")).await;
    let lease = bench.lease("sw-a").await;
    let pushed = bench.pushed("sw-a", |_, port| reached(end_of(port))).await;
    bench.admit(create("m-2", 1, "10.0.1.8")).await;
    assert!(store.pushes().record(&lease, &pushed.results()).await.expect("settled").lease_kept);
    assert!(store.leases().holds(&lease).await.expect("an answer"));
    let pushed = bench.pushed("sw-a", |_, port| reached(end_of(port))).await;
    assert!(!store.pushes().record(&lease, &pushed.results()).await.expect("settled").lease_kept);
    assert!(!store.leases().holds(&lease).await.expect("an answer"));
}

fn claimed(claims: Result<Vec<(Lease, Option<SiteName>)>, StoreError>) -> Vec<Lease> {
    claims.expect("an answer").into_iter().map(|(lease, _)| lease).collect()
}
