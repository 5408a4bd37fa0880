//! Looks at switches are shared and spread, and what they find is written once.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use vmacd::domain::DriftMode;
use vmacd::domain::drift::{Drift, DriftKind};
use vmacd::store::{CheckDue, CheckEnd, CheckPace, DriftFindings, Vmac};

use super::bench::{Bench, create, switch};
use crate::support::eventually;

on_both_engines! {
    a_switch_that_is_due_is_given_to_one_worker,
    switches_are_spread_over_the_interval,
    what_a_look_saw_is_remembered,
    what_stands_is_told_once_and_what_is_queued_is_told_each_time,
    a_row_that_changed_since_is_left_alone,
}

/// Far longer than what two connections' ideas of the time differ by on a busy machine, which would undo a claim.
const SHORT: CheckPace =
    CheckPace { interval: Duration::from_millis(400), history_interval: None, mode: DriftMode::Observe };
const SLOW: CheckPace = CheckPace {
    interval: Duration::from_secs(3_600),
    history_interval: Some(Duration::from_millis(40)),
    mode: DriftMode::Enforce,
};

async fn a_switch_that_is_due_is_given_to_one_worker(bench: &Bench) {
    let known = bench.store.switches().list().await.expect("switches").len();
    let (other, mut all) = (bench.another().await, Vec::new());
    eventually("every switch is claimed", async || {
        let (mine, theirs) = tokio::join!(bench.store.checks().claim(&SHORT, 10), other.checks().claim(&SHORT, 10));
        all.extend(mine.expect("mine").into_iter().chain(theirs.expect("theirs")));
        if all.len() >= known { Ok(()) } else { Err(all.len()) }
    })
    .await;
    let names: HashSet<_> = all.iter().map(|due| due.switch.clone()).collect();
    assert!(all.iter().all(|due| due.whole) && names.len() == all.len(), "each once: {all:?}");
    assert_eq!(bench.store.checks().claim(&SHORT, 10).await.expect("an answer"), [], "nobody has ended a look");
}

async fn switches_are_spread_over_the_interval(bench: &Bench) {
    let far = CheckPace { interval: Duration::from_secs(36_000), ..SHORT };
    assert_eq!(bench.store.checks().claim(&far, 10).await.expect("an answer"), [], "none is due at once");
}

/// Claims until that switch is due, or any.
async fn due(bench: &Bench, pace: &CheckPace, switch: Option<&CheckDue>) -> CheckDue {
    eventually("a switch is due", async || {
        let due = bench.store.checks().claim(pace, 10).await.expect("an answer");
        due.into_iter().find(|due| switch.is_none_or(|wanted| wanted.switch == due.switch)).ok_or(())
    })
    .await
}

async fn what_a_look_saw_is_remembered(bench: &Bench) {
    let first = due(bench, &SLOW, None).await;
    assert_eq!((first.whole, &first.last_commit, first.mode), (false, &None, DriftMode::Enforce));
    let seen = CheckEnd::Seen { commit: Some("commit 1".into()), whole: true };
    bench.store.checks().end(&first, &SLOW, seen).await.expect("ended");
    let again = due(bench, &SLOW, Some(&first)).await;
    assert_eq!((again.whole, again.last_commit.as_deref()), (false, Some("commit 1")));
    bench.store.checks().end(&again, &SLOW, CheckEnd::Failed).await.expect("ended");
    let again = due(bench, &SLOW, Some(&first)).await;
    assert_eq!(again.last_commit.as_deref(), Some("commit 1"), "a look that failed forgets nothing");
    assert!(bench.store.switches().get(&first.switch).await.expect("known").drift_seen_at.is_some());
}

/// An active row, and that its binding has gone.
async fn gone(bench: &Bench) -> (Vmac, Drift) {
    bench.admit(create("c-1", 1, "10.0.1.10")).await;
    bench.settle("sw-a").await;
    let row = bench.row("10.0.1.10").await;
    let interface = row.switch_bindings[0].interface.clone();
    let drift = Drift { vmac_id: row.id, interface, kind: DriftKind::Missing, text: "it has gone".into() };
    (row, drift)
}

async fn told(bench: &Bench, row: &Vmac, found: &[Drift], enforce: bool) -> usize {
    let as_of = HashMap::from([(row.id, row.updated_at)]);
    let switch = switch("sw-a");
    let findings = DriftFindings { switch: &switch, found, as_of: &as_of, enforce };
    bench.store.checks().record_drift(&findings).await.expect("settled").len()
}

async fn what_stands_is_told_once_and_what_is_queued_is_told_each_time(bench: &Bench) {
    let (row, drift) = gone(bench).await;
    let standing = async || bench.store.statistics().counts().await.expect("counts").drift_standing;
    let found = std::slice::from_ref(&drift);
    assert_eq!((told(bench, &row, found, false).await, standing().await), (1, 1));
    assert_eq!((told(bench, &row, found, false).await, standing().await), (0, 1), "it is known");
    let other = Drift { kind: DriftKind::Foreign, text: "somebody's".into(), ..drift.clone() };
    assert_eq!(told(bench, &row, &[other], true).await, 1, "it changed");
    assert_eq!((told(bench, &row, &[], false).await, standing().await), (0, 0), "it is as it should be");
    assert_eq!(bench.work("sw-a").await.len(), 0, "what is somebody's is not pushed over");
    assert_eq!((told(bench, &row, found, true).await, standing().await), (1, 0));
    assert_eq!(bench.work("sw-a").await.len(), 1, "it is pushed again");
    bench.settle("sw-a").await;
    let row = bench.row("10.0.1.10").await;
    assert_eq!(told(bench, &row, found, true).await, 1, "it went again");
    let keys: Vec<String> = bench.events().await.into_iter().map(|event| event.routing_key).collect();
    assert_eq!(keys.iter().filter(|key| *key == "vmac.drift").count(), 4, "{keys:?}");
}

async fn a_row_that_changed_since_is_left_alone(bench: &Bench) {
    let (row, drift) = gone(bench).await;
    let before = Vmac { updated_at: row.updated_at - chrono::Duration::milliseconds(1), ..row.clone() };
    assert_eq!(told(bench, &before, std::slice::from_ref(&drift), true).await, 0);
    assert_eq!(bench.work("sw-a").await.len(), 0);
}
