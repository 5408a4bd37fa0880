//! The switch says no: to one change, to all, or for now.

use vmacd::domain::Code;
use vmacd::domain::plan::Wish;
use vmacd::sim::{DuplicateScope, Options};
use vmacd::switch::PushEnd;

use super::bench::{Bench, Notes, codes, mac, whole};

async fn strict() -> Bench {
    Bench::with(Options { duplicates: DuplicateScope::Switch, ..Options::default() }).await
}

#[tokio::test]
async fn one_bad_change_does_not_hold_up_the_others() {
    let bench = strict().await;
    bench.push(&mut Notes::of(vec![bench.create(2, 99)])).await;
    let good: Vec<_> = (0..20).map(|number| bench.create(0, number)).collect();
    // The same MAC on another port of the switch, which the switch refuses.
    let bad = Wish { mac: mac(2, 99), ..bench.create(1, 50) };
    let mut wishes = good.clone();
    wishes.insert(7, bad);
    let before = bench.sim().commits();
    let mut notes = Notes::of(wishes);
    let report = bench.push(&mut notes).await;
    let failed: Vec<_> = codes(&report).into_iter().filter(|(_, code)| code.is_some()).collect();
    assert_eq!(failed, [(50, Some(Code::DuplicateMac))], "{report:?}");
    assert_eq!(bench.extra(), Bench::bound(&[good, vec![bench.create(2, 99)]].concat()));
    assert_eq!(bench.sim().commits() - before, 2, "the good ones went together");
    assert!(notes.open.is_empty() && notes.ends.contains(&PushEnd::Refused));
    bench.assert_tidy();
}

#[tokio::test]
async fn a_refusal_that_names_nobody_is_narrowed_by_halves() {
    let bench = Bench::non_els().await;
    bench.sim().set_fault("commit_rejected@1").expect("a fault");
    let wishes: Vec<_> = (0..8).map(|number| bench.create(0, number)).collect();
    let report = bench.push(&mut Notes::of(wishes.clone())).await;
    assert!(codes(&report).iter().all(|(_, code)| code.is_none()), "{report:?}");
    assert_eq!(bench.extra(), Bench::bound(&wishes));
    bench.assert_tidy();
}

#[tokio::test]
async fn a_switch_that_refuses_everything_gets_each_change_tried_alone() {
    for fault in ["commit_rejected", "load_rejected"] {
        let bench = Bench::non_els().await;
        let before = bench.sim().committed_text();
        bench.sim().set_fault(fault).expect("a fault");
        let mut notes = Notes::of((0..5).map(|number| bench.create(0, number)).collect());
        let report = bench.push(&mut notes).await;
        assert_eq!(codes(&report), (0..5).map(|id| (id, Some(Code::RefusedBySwitch))).collect::<Vec<_>>(), "{fault}");
        assert_eq!(bench.sim().committed_text(), before);
        assert!(notes.open.is_empty());
        bench.assert_tidy();
    }
}

#[tokio::test]
async fn a_refusal_for_now_ends_the_push_and_blames_no_change() {
    for (fault, code) in [("remote_lock_failed", Code::SwitchTrouble), ("permission_denied", Code::PermissionDenied)] {
        let bench = Bench::non_els().await;
        bench.sim().set_fault(fault).expect("a fault");
        let mut notes = Notes::of(vec![bench.create(0, 1), bench.create(0, 2)]);
        let report = bench.push(&mut notes).await;
        assert_eq!((whole(&report), codes(&report).len()), (Some(code), 0), "{fault}: {report:?}");
        assert!(bench.extra().is_empty());
        bench.assert_tidy();
        bench.sim().clear_faults();
        let report = bench.push(&mut notes).await;
        assert_eq!((whole(&report), codes(&report)), (None, vec![(1, None), (2, None)]), "{fault}");
    }
}

#[tokio::test]
async fn warnings_and_noise_do_not_fail_a_commit() {
    for fault in FAULTS_THAT_ARE_NONE {
        let bench = Bench::non_els().await;
        bench.sim().set_fault(fault).expect("a fault");
        let wishes = vec![bench.create(0, 1)];
        let report = bench.push(&mut Notes::of(wishes.clone())).await;
        assert_eq!((whole(&report), codes(&report)), (None, vec![(1, None)]), "{fault}: {report:?}");
        assert_eq!(bench.extra(), Bench::bound(&wishes), "{fault}");
        bench.assert_tidy();
    }
}

const FAULTS_THAT_ARE_NONE: [&str; 4] =
    ["commit_warning", "stray_daemon_text", "unclosed_routing_engine", "unlock_not_open"];
