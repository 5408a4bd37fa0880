//! Bringing a whole configuration back: byte for byte, or not at all.

use vmacd::domain::{Code, Failure};
use vmacd::switch::{PushEnd, PushOptions, RestoreDifference, RestoreEnd, RestoreTarget, preview, restore};

use super::bench::{Bench, Notes, whole};
use crate::support::eventually;

const OPTIONS: PushOptions = PushOptions { confirm_timeout_min: 5 };

/// A configuration, and a switch that was changed since.
async fn changed(bench: &Bench) -> RestoreTarget {
    let wanted = RestoreTarget { backup_id: 7, text: bench.sim().committed_bytes() };
    bench.push(&mut Notes::of(vec![bench.create(0, 1), bench.create(1, 2)])).await;
    bench.operator_sets(&["set system host-name renamed"]);
    wanted
}

async fn look(bench: &Bench, wanted: &RestoreTarget) -> Result<RestoreDifference, Failure> {
    preview(&mut bench.client().await, wanted).await
}

async fn bring_back(
    bench: &Bench,
    notes: &mut Notes,
    wanted: &RestoreTarget,
    agreed: &RestoreDifference,
) -> Result<RestoreEnd, Failure> {
    restore(&mut bench.client().await, notes, &OPTIONS, wanted, agreed).await
}

#[tokio::test]
async fn a_configuration_comes_back_byte_for_byte() {
    for bench in [Bench::non_els().await, Bench::els().await] {
        let wanted = changed(&bench).await;
        let before = bench.sim().committed_bytes();
        assert_ne!(before, wanted.text);
        let (agreed, mut notes) = (look(&bench, &wanted).await.expect("a difference"), Notes::default());
        let end = bring_back(&bench, &mut notes, &wanted, &agreed).await;
        assert!(matches!(end, Ok(RestoreEnd::Restored { backup_id: 1, .. })), "{end:?}");
        assert_eq!(bench.sim().committed_bytes(), wanted.text);
        assert_eq!(
            (notes.backups.as_slice(), notes.ends.as_slice()),
            ([before].as_slice(), [PushEnd::Confirmed].as_slice())
        );
        bench.assert_tidy();
    }
}

#[tokio::test]
async fn the_difference_is_the_switchs_own_and_leaves_no_trace() {
    let bench = Bench::non_els().await;
    let wanted = changed(&bench).await;
    let (commits, text) = (bench.sim().commits(), bench.sim().committed_text());
    let difference = look(&bench, &wanted).await.expect("a difference");
    assert!(
        difference.text.contains("-  host-name renamed;") && difference.text.contains("[edit system]"),
        "{}",
        difference.text
    );
    assert!(difference.bindings.iter().all(|binding| binding.ip != bench.create(0, 1).ip));
    assert_eq!((bench.sim().commits(), bench.sim().committed_text()), (commits, text));
    bench.assert_tidy();
    let same = RestoreTarget { text: bench.sim().committed_bytes(), ..wanted };
    assert_eq!(look(&bench, &same).await.expect("a difference").text, "");
}

#[tokio::test]
async fn somebody_elses_lock_or_edits_are_left_alone() {
    let bench = Bench::non_els().await;
    let wanted = changed(&bench).await;
    let agreed = look(&bench, &wanted).await.expect("a difference");
    let text = bench.sim().committed_text();
    bench.sim().operator_lock().expect("locked");
    for failure in [look(&bench, &wanted).await.map(|_| ()), restored(&bench, &wanted, &agreed).await] {
        assert_eq!(failure.expect_err("locked").code, Code::LockedByOther);
    }
    bench.sim().operator_unlock();
    bench.sim().operator_edit("set system host-name edited").expect("edited");
    for failure in [look(&bench, &wanted).await.map(|_| ()), restored(&bench, &wanted, &agreed).await] {
        assert_eq!(failure.expect_err("dirty").code, Code::CandidateDirty);
    }
    assert!(bench.sim().is_dirty(), "the edits are still there");
    assert_eq!(bench.sim().committed_text(), text);
}

async fn restored(bench: &Bench, wanted: &RestoreTarget, agreed: &RestoreDifference) -> Result<(), Failure> {
    bring_back(bench, &mut Notes::default(), wanted, agreed).await.map(|_| ())
}

#[tokio::test]
async fn what_was_not_agreed_to_is_not_done() {
    let bench = Bench::non_els().await;
    let wanted = changed(&bench).await;
    let agreed = look(&bench, &wanted).await.expect("a difference");
    bench.operator_sets(&["set system host-name renamed-again"]);
    let text = bench.sim().committed_text();
    let mut notes = Notes::default();
    assert_eq!(bring_back(&bench, &mut notes, &wanted, &agreed).await, Ok(RestoreEnd::Changed));
    assert_eq!(bench.sim().committed_text(), text);
    assert!(notes.open.is_empty() && notes.ends.is_empty(), "no commit was sent");
    bench.assert_tidy();
}

#[tokio::test]
async fn a_configuration_that_the_switch_refuses_changes_nothing() {
    let bench = Bench::non_els().await;
    let wanted = RestoreTarget { text: b"system {\n    no-such-statement".to_vec(), ..changed(&bench).await };
    let text = bench.sim().committed_text();
    assert_eq!(look(&bench, &wanted).await.expect_err("refused").code, Code::RefusedBySwitch);
    assert_eq!(bench.sim().committed_text(), text);
    bench.assert_tidy();
}

#[tokio::test]
async fn a_commit_whose_answer_was_lost_is_decided_by_the_next_push() {
    for expires in [false, true] {
        let bench = Bench::non_els().await;
        let wanted = changed(&bench).await;
        let before = bench.sim().committed_bytes();
        let (agreed, mut notes) = (look(&bench, &wanted).await.expect("a difference"), Notes::default());
        bench.sim().set_fault("reply_lost_after_commit@1").expect("a fault");
        let end = bring_back(&bench, &mut notes, &wanted, &agreed).await;
        assert_eq!(end.expect_err("no answer").code, Code::CommitUnanswered);
        assert!(bench.sim().is_commit_pending() && notes.open.len() == 1);
        eventually("the lost session's lock is gone", async || bench.sim().locked_by().is_none()).await;
        if expires {
            assert!(bench.sim().expire_commit());
        }
        assert_eq!(whole(&bench.push(&mut notes).await), None);
        let (end, text) = if expires { (PushEnd::NotApplied, before) } else { (PushEnd::Confirmed, wanted.text) };
        assert_eq!((notes.ends.as_slice(), bench.sim().committed_bytes()), ([end].as_slice(), text));
        bench.assert_tidy();
    }
}

#[tokio::test]
async fn what_is_not_read_back_as_it_was_loaded_is_rolled_back() {
    let bench = Bench::non_els().await;
    let wanted = changed(&bench).await;
    let agreed = look(&bench, &wanted).await.expect("a difference");
    let (before, sim) = (bench.sim().committed_text(), bench.sim().clone());
    // As for a process that is suspended until the switch has rolled back.
    let mut notes = Notes { at_may_commit: Some(Box::new(move || assert!(sim.expire_commit()))), ..Notes::default() };
    let end = bring_back(&bench, &mut notes, &wanted, &agreed).await;
    assert_eq!(end.expect_err("gone").code, Code::ReadBackDiffers);
    assert_eq!((bench.sim().committed_text(), notes.ends.as_slice()), (before, [PushEnd::NotApplied].as_slice()));
}

#[tokio::test]
async fn a_configuration_that_lost_a_character_when_it_was_kept_is_not_brought_back() {
    let bench = Bench::non_els().await;
    let (text, wanted) = (bench.sim().committed_text(), changed(&bench).await);
    let now = bench.sim().committed_text();
    let holed = text.replacen("host-name ", "host-name caf\u{fffd}", 1).into_bytes();
    let refused = look(&bench, &RestoreTarget { text: holed, ..wanted }).await.expect_err("a hole");
    assert!(refused.text.contains("replacement character"), "{refused:?}");
    assert_eq!(bench.sim().committed_text(), now);
    bench.assert_tidy();
}
