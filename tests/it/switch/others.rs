//! Other people work on the switch too, and their work is sacred.

use vmacd::domain::Code;
use vmacd::domain::plan::Wish;

use super::bench::{Bench, Notes, whole};

const EDIT: &str = "set system host-name being-renamed";

async fn pushed_and_waits(bench: &Bench, expected: Code) -> String {
    let mut notes = Notes::of(vec![bench.create(0, 1)]);
    let report = bench.push(&mut notes).await;
    assert_eq!(whole(&report), Some(expected), "{report:?}");
    assert!(bench.extra().is_empty() && notes.open.is_empty());
    report.whole.map(|failure| failure.text).unwrap_or_default()
}

async fn pushes_now(bench: &Bench) {
    let wishes: Vec<Wish> = vec![bench.create(0, 1)];
    let report = bench.push(&mut Notes::of(wishes.clone())).await;
    assert_eq!(whole(&report), None);
    assert_eq!(bench.extra(), Bench::bound(&wishes));
}

#[tokio::test]
async fn a_lock_is_waited_for_and_its_holder_told() {
    for bench in [Bench::non_els().await, Bench::els().await] {
        bench.sim().operator_lock().expect("locked");
        let text = pushed_and_waits(&bench, Code::LockedByOther).await;
        assert!(text.contains("pid"), "who holds it: {text}");
        assert!(bench.sim().locked_by().is_some(), "the operator keeps it");
        bench.sim().operator_unlock();
        pushes_now(&bench).await;
    }
}

#[tokio::test]
async fn uncommitted_edits_are_waited_for_and_kept() {
    let bench = Bench::non_els().await;
    bench.sim().operator_edit(EDIT).expect("edited");
    pushed_and_waits(&bench, Code::CandidateDirty).await;
    assert!(bench.sim().is_dirty(), "the edits are still there");
    bench.sim().operator_commit().expect("committed");
    assert!(bench.sim().committed_set().contains("being-renamed"));
    pushes_now(&bench).await;
    assert!(bench.sim().committed_set().contains("being-renamed"));
}

#[tokio::test]
async fn a_confirmed_commit_of_somebody_else_is_neither_confirmed_nor_rolled_back() {
    let bench = Bench::non_els().await;
    let mut other = bench.client().await;
    other.lock().await.expect("locked");
    other.load(&[change(&bench)]).await.expect("loaded");
    other.commit_confirmed("by somebody else", &[], 10).await.expect("committed");
    other.unlock().await.expect("unlocked");
    let commits = bench.sim().commits();
    let mut notes = Notes::of(vec![bench.create(0, 1)]);
    let report = bench.push(&mut notes).await;
    assert_eq!(whole(&report), Some(Code::ConfirmPending), "{report:?}");
    assert!(bench.sim().is_commit_pending(), "it still waits for its owner");
    assert_eq!(bench.sim().commits(), commits);
    other.lock().await.expect("locked");
    other.confirm("by somebody else").await.expect("confirmed");
    other.unlock().await.expect("unlocked");
    let report = bench.push(&mut notes).await;
    assert_eq!(whole(&report), None);
    assert_eq!(bench.extra().len(), 2, "theirs and ours");
}

fn change(bench: &Bench) -> vmacd::domain::plan::Change {
    let wish = bench.create(1, 77);
    let vlan = bench.server(1).vlan.parse().expect("a name");
    vmacd::domain::plan::Change::Set {
        interface: wish.interface,
        vlan,
        ip: wish.ip,
        mac: wish.mac,
        group: None,
        activates: false,
    }
}

#[tokio::test]
async fn an_edit_made_between_two_pushes_stays() {
    let bench = Bench::els().await;
    pushes_now(&bench).await;
    bench.operator_sets(&[EDIT]);
    let mut notes = Notes::of(vec![bench.create(0, 1), bench.create(0, 2)]);
    assert_eq!(whole(&bench.push(&mut notes).await), None);
    assert!(bench.sim().committed_set().contains("being-renamed"));
    assert!(String::from_utf8_lossy(&notes.backups[0]).contains("being-renamed"));
}
