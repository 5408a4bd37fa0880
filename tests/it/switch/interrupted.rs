//! Connections that break and journals that fail, at every point of a push. The next push finds out what happened.

use vmacd::domain::Code;
use vmacd::switch::PushEnd;

use super::bench::{Bench, Notes, codes, whole};
use crate::support::eventually;

/// Pushes into a fault, then once more without it, and asserts that all is well in the end.
async fn recovers(fault: &str, expected: Code) {
    let bench = Bench::non_els().await;
    let wishes = vec![bench.create(0, 1), bench.create(1, 2)];
    bench.sim().set_fault(fault).expect("a fault");
    let mut notes = Notes::of(wishes.clone());
    let report = bench.push(&mut notes).await;
    assert_eq!(whole(&report), Some(expected), "{fault}: {report:?}");
    assert!(!report.session_usable, "{fault}");
    bench.sim().clear_faults();
    eventually("the lost session's lock is gone", async || bench.sim().locked_by().is_none()).await;
    let report = bench.push(&mut notes).await;
    assert_eq!((whole(&report), codes(&report)), (None, vec![(1, None), (2, None)]), "{fault}");
    assert_eq!(bench.extra(), Bench::bound(&wishes), "{fault}");
    assert!(notes.open.is_empty(), "{fault}: {:?}", notes.ends);
    bench.assert_tidy();
}

#[tokio::test]
async fn a_session_lost_before_the_commit_is_pushed_again() {
    recovers("session_dropped_before_commit@1", Code::CommitUnanswered).await;
    recovers("session_dropped_after_load@1", Code::ConnectionLost).await;
}

#[tokio::test]
async fn a_commit_whose_answer_was_lost_is_found_in_the_history_and_confirmed() {
    let bench = Bench::non_els().await;
    bench.sim().set_fault("reply_lost_after_commit@1").expect("a fault");
    let wishes = vec![bench.create(0, 1)];
    let mut notes = Notes::of(wishes.clone());
    assert_eq!(whole(&bench.push(&mut notes).await), Some(Code::CommitUnanswered));
    assert!(bench.sim().is_commit_pending() && notes.open.len() == 1);
    let commits = bench.sim().commits();
    bench.push(&mut notes).await;
    assert_eq!(notes.ends, [PushEnd::Confirmed]);
    assert_eq!(bench.sim().commits() - commits, 1, "confirmed, not pushed again");
    assert_eq!(bench.extra(), Bench::bound(&wishes));
    bench.assert_tidy();
}

#[tokio::test]
async fn a_lost_confirmation_is_made_up_for() {
    recovers("confirm_lost@1", Code::CommitUnanswered).await;
    recovers("confirm_reply_lost@1", Code::CommitUnanswered).await;
}

#[tokio::test]
async fn a_configuration_cut_off_in_the_middle_is_never_taken_for_whole() {
    let bench = Bench::non_els().await;
    bench.sim().set_fault("truncated_configuration").expect("a fault");
    let mut notes = Notes::of(vec![bench.create(0, 1)]);
    let report = bench.push(&mut notes).await;
    assert_eq!(whole(&report), Some(Code::ConnectionLost), "{report:?}");
    assert!(notes.backups.is_empty() && notes.open.is_empty() && bench.extra().is_empty());
}

#[tokio::test]
async fn nothing_is_committed_once_the_journal_fails() {
    for failing in ["unresolved", "gather", "ownership", "sent"] {
        let bench = Bench::non_els().await;
        let commits = bench.sim().commits();
        let mut notes = Notes { failing: Some(failing), ..Notes::of(vec![bench.create(0, 1)]) };
        let report = bench.push(&mut notes).await;
        assert_eq!(whole(&report), Some(Code::LeaseLost), "{failing}");
        assert_eq!(bench.sim().commits(), commits, "{failing}");
        bench.assert_tidy();
    }
}

#[tokio::test]
async fn a_commit_is_not_confirmed_by_a_worker_that_lost_its_lease() {
    let bench = Bench::non_els().await;
    let wishes = vec![bench.create(0, 1)];
    let mut notes = Notes { failing: Some("may_commit"), ..Notes::of(wishes.clone()) };
    assert_eq!(whole(&bench.push(&mut notes).await), Some(Code::LeaseLost));
    assert!(bench.sim().is_commit_pending(), "the new holder, or the switch's timer, decides");
    // The new holder has the same journal.
    notes.failing = None;
    let report = bench.push(&mut notes).await;
    assert_eq!((whole(&report), notes.ends.as_slice()), (None, [PushEnd::Confirmed].as_slice()));
    assert_eq!(bench.extra(), Bench::bound(&wishes));
    bench.assert_tidy();
}

#[tokio::test]
async fn an_end_that_was_never_written_down_is_found_out_again() {
    let bench = Bench::non_els().await;
    let mut notes = Notes { failing: Some("resolved"), ..Notes::of(vec![bench.create(0, 1)]) };
    assert_eq!(codes(&bench.push(&mut notes).await), [(1, None)]);
    assert!(notes.ends.is_empty() && notes.open.len() == 1);
    notes.failing = None;
    let commits = bench.sim().commits();
    let report = bench.push(&mut notes).await;
    assert_eq!((codes(&report), notes.ends.as_slice()), (vec![(1, None)], [PushEnd::Confirmed].as_slice()));
    assert_eq!(bench.sim().commits(), commits);
}

#[tokio::test]
async fn a_push_that_was_taken_back_meanwhile_is_pushed_again() {
    let bench = Bench::non_els().await;
    bench.sim().set_fault("reply_lost_after_commit@1").expect("a fault");
    let wishes = vec![bench.create(0, 1)];
    let mut notes = Notes::of(wishes.clone());
    bench.push(&mut notes).await;
    // An operator takes it back: the history shows the push, the configuration does not.
    bench.operator_removes(&wishes[0].ip.to_string());
    assert!(bench.extra().is_empty());
    let report = bench.push(&mut notes).await;
    assert_eq!((whole(&report), notes.ends.as_slice()), (None, [PushEnd::NotApplied, PushEnd::Confirmed].as_slice()));
    assert_eq!(bench.extra(), Bench::bound(&wishes));
}

#[tokio::test]
async fn a_commit_that_expired_before_anybody_came_back_is_pushed_again() {
    let bench = Bench::non_els().await;
    bench.sim().set_fault("reply_lost_after_commit@1").expect("a fault");
    let wishes = vec![bench.create(0, 1)];
    let mut notes = Notes::of(wishes.clone());
    assert_eq!(whole(&bench.push(&mut notes).await), Some(Code::CommitUnanswered));
    assert!(bench.sim().expire_commit() && bench.extra().is_empty());
    let report = bench.push(&mut notes).await;
    assert_eq!((whole(&report), notes.ends.as_slice()), (None, [PushEnd::NotApplied, PushEnd::Confirmed].as_slice()));
    assert_eq!(bench.extra(), Bench::bound(&wishes));
    bench.assert_tidy();
}

#[tokio::test]
async fn a_commit_that_others_confirmed_by_committing_over_it_stands() {
    let bench = Bench::non_els().await;
    bench.sim().set_fault("reply_lost_after_commit@1").expect("a fault");
    let wishes = vec![bench.create(0, 1)];
    let mut notes = Notes::of(wishes.clone());
    bench.push(&mut notes).await;
    bench.operator_sets(&["set system host-name other"]);
    let commits = bench.sim().commits();
    let report = bench.push(&mut notes).await;
    assert_eq!((codes(&report), notes.ends.as_slice()), (vec![(1, None)], [PushEnd::Confirmed].as_slice()));
    assert_eq!((bench.sim().commits(), bench.extra()), (commits, Bench::bound(&wishes)));
}

#[tokio::test]
async fn a_commit_that_expires_between_reading_back_and_confirming_is_not_taken_for_done() {
    let bench = Bench::non_els().await;
    let sim = bench.sim().clone();
    let mut notes = Notes::of(vec![bench.create(0, 1)]);
    // As for a worker that is suspended there until the switch has rolled back.
    notes.at_may_commit = Some(Box::new(move || assert!(sim.expire_commit())));
    let report = bench.push(&mut notes).await;
    assert_eq!(
        (codes(&report), notes.ends.as_slice()),
        (vec![(1, Some(Code::ReadBackDiffers))], [PushEnd::NotApplied].as_slice())
    );
    notes.at_may_commit = None;
    assert_eq!(codes(&bench.push(&mut notes).await), [(1, None)]);
    assert_eq!(bench.extra().len(), 1);
    bench.assert_tidy();
}

/// What happens between the commit whose end is not known and the next push.
#[derive(Debug, Clone, Copy)]
enum Between {
    Nothing,
    Expiry,
    OperatorCommit,
    Reboot,
}

#[tokio::test]
async fn every_order_of_drop_expiry_and_crash_ends_with_every_binding_once() {
    use Between::{Expiry, Nothing, OperatorCommit, Reboot};
    let drops =
        ["session_dropped_before_commit@1", "reply_lost_after_commit@1", "confirm_lost@1", "confirm_reply_lost@1"];
    for drop in drops {
        for between in [Nothing, Expiry, OperatorCommit, Reboot] {
            // A second worker that crashes as well, before or after it could confirm.
            for crash in [None, Some("may_commit"), Some("resolved")] {
                ends_well(drop, between, crash).await;
            }
        }
    }
}

async fn ends_well(drop: &str, between: Between, crash: Option<&'static str>) {
    let case = format!("{drop}, {between:?}, {crash:?}");
    let bench = Bench::non_els().await;
    bench.sim().set_fault(drop).expect("a fault");
    let wishes = vec![bench.create(0, 1), bench.create(1, 2)];
    let mut notes = Notes::of(wishes.clone());
    assert!(bench.push(&mut notes).await.whole.is_some(), "{case}");
    let gone = async || bench.sim().locked_by().is_none();
    eventually("the lost session's lock is gone", gone).await;
    match between {
        Between::Nothing => {}
        // There may be nothing to expire: the commit did not happen, or was confirmed.
        Between::Expiry => _ = bench.sim().expire_commit(),
        Between::OperatorCommit => bench.operator_sets(&["set system host-name other"]),
        Between::Reboot => bench.sim().reboot(std::time::Duration::ZERO),
    }
    notes.failing = crash;
    bench.push(&mut notes).await;
    eventually("the crashed session's lock is gone", gone).await;
    notes.failing = None;
    let report = bench.push(&mut notes).await;
    assert_eq!((whole(&report), codes(&report)), (None, vec![(1, None), (2, None)]), "{case}: {report:?}");
    assert_eq!(bench.extra(), Bench::bound(&wishes), "{case}");
    assert!(notes.open.is_empty(), "{case}: {:?}", notes.open);
    bench.assert_tidy();
}
