//! The switch says no: to one change, to all, or for now.

use vmacd::domain::Code;
use vmacd::domain::plan::Wish;
use vmacd::sim::{DuplicateScope, Options};
use vmacd::switch::PushEnd;

use super::bench::{Bench, Notes, codes, mac, whole};

async fn strict() -> Bench {
    Bench::with(Options { duplicates: Some(DuplicateScope::Switch), ..Options::default() }).await
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
async fn of_five_hundred_changes_three_that_are_refused_cost_few_commits() {
    let bench = Bench::with(Options { duplicates: Some(DuplicateScope::Interface), ..Options::default() }).await;
    let ip = |number: i64| format!("10.9.{}.{}", number / 250, 1 + number % 250).parse().expect("an address");
    let octet = |number: i64| u8::try_from(number % 250).expect("small");
    let of = |number: i64| Wish {
        vmac_id: number,
        ip: ip(number),
        mac: mac(u8::try_from(number / 250).expect("few").into(), octet(number)),
        ..bench.create(0, 1)
    };
    let mut wishes: Vec<_> = (0..500).map(of).collect();
    bench.push(&mut Notes::of(vec![Wish { vmac_id: 900, ip: ip(900), mac: mac(7, 7), ..bench.create(0, 1) }])).await;
    let bad = [7, 250, 499];
    bad.iter().for_each(|at| wishes[*at].mac = mac(7, 7));
    let mut notes = Notes::of(wishes);
    let report = bench.push(&mut notes).await;
    let failed: Vec<_> = codes(&report).into_iter().filter(|(_, code)| code.is_some()).map(|(id, _)| id).collect();
    assert_eq!((report.results.len(), failed), (500, vec![7, 250, 499]));
    let commits = commits_asked_for(&notes);
    assert!(commits <= 12, "{commits} commits");
    assert_eq!(bench.extra().len(), 498);
    bench.assert_tidy();
}

/// Those that were refused, and two for each that was not.
fn commits_asked_for(notes: &Notes) -> usize {
    let confirmed = notes.ends.iter().filter(|end| **end == PushEnd::Confirmed).count();
    notes.backups.len() + confirmed
}

#[tokio::test]
async fn under_each_rule_a_revoke_restores_or_removes_in_one_push_whatever_is_believed() {
    use vmacd::domain::plan::EndState::{Removed, Restored};
    use vmacd::sim::{Dialect, DuplicateScope::*};
    for dialect in [Dialect::NonEls, Dialect::Els] {
        for scope in [Off, Interface, Vlan, Switch] {
            let bench = Bench::with(Options { dialect, duplicates: Some(scope), ..Options::default() }).await;
            bench.push(&mut Notes::of(vec![bench.create(0, 1), bench.create(0, 2)])).await;
            let report = bench.push(&mut Notes::of(vec![bench.revoke(0, 1), bench.revoke(0, 2)])).await;
            // What is believed of non-ELS removes it; ELS is asked.
            let expected = if dialect == Dialect::Els && scope == Off { Restored } else { Removed };
            let ends: Vec<_> =
                report.results.iter().map(|result| result.end.as_ref().map(|reached| reached.end)).collect();
            assert_eq!(ends, [Ok(expected), Ok(expected)], "{dialect:?} {scope:?}");
            bench.assert_tidy();
        }
    }
}

#[tokio::test]
async fn a_refusal_that_names_nobody_is_narrowed_by_parts() {
    let bench = Bench::non_els().await;
    bench.sim().set_fault("load_rejected@1").expect("a fault");
    let wishes: Vec<_> = (0..8).map(|number| bench.create(0, number)).collect();
    let report = bench.push(&mut Notes::of(wishes.clone())).await;
    assert!(codes(&report).iter().all(|(_, code)| code.is_none()), "{report:?}");
    assert_eq!(bench.extra(), Bench::bound(&wishes));
    bench.assert_tidy();
}

#[tokio::test]
async fn a_switch_that_refuses_everything_is_tried_a_few_times_and_no_change_is_blamed() {
    for fault in ["commit_rejected", "load_rejected"] {
        let bench = Bench::non_els().await;
        let before = bench.sim().committed_text();
        bench.sim().set_fault(fault).expect("a fault");
        let wishes: Vec<_> = (0..30).map(|number| bench.create(0, number)).collect();
        let mut notes = Notes::of(wishes.clone());
        let report = bench.push(&mut notes).await;
        assert_eq!(
            (whole(&report), codes(&report).len()),
            (Some(Code::ConfigurationRefused), 0),
            "{fault}: {report:?}"
        );
        assert_eq!(bench.sim().committed_text(), before);
        assert!(notes.open.is_empty() && notes.backups.len() <= 3, "{fault}: {}", notes.backups.len());
        bench.assert_tidy();
        bench.sim().clear_faults();
        let report = bench.push(&mut notes).await;
        assert!(whole(&report).is_none() && bench.extra() == Bench::bound(&wishes), "{fault}: {report:?}");
    }
}

#[tokio::test]
async fn a_change_that_is_refused_alone_while_the_switch_takes_what_it_has_is_at_fault() {
    for fault in ["change_rejected", "load_rejected"] {
        let bench = Bench::non_els().await;
        bench.sim().set_fault(fault).expect("a fault");
        let report = bench.push(&mut Notes::of(vec![bench.create(0, 1)])).await;
        assert_eq!(codes(&report), [(1, Some(Code::RefusedBySwitch))], "{fault}");
        bench.assert_tidy();
    }
}

#[tokio::test]
async fn many_refusals_leave_the_rest_for_the_next_push() {
    let bench = Bench::non_els().await;
    bench.sim().set_fault("change_rejected").expect("a fault");
    let wishes: Vec<_> = (0..40).map(|number| bench.create(0, number)).collect();
    let mut notes = Notes::of(wishes);
    let report = bench.push(&mut notes).await;
    assert_eq!((whole(&report), notes.backups.len()), (None, 16), "{report:?}");
    let failed = codes(&report);
    assert!((1..16).contains(&failed.len()), "{failed:?}");
    assert!(failed.iter().all(|(_, code)| *code == Some(Code::RefusedBySwitch)));
    bench.assert_tidy();
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
async fn what_an_operator_protected_is_refused_and_holds_nothing_else_up() {
    let bench = Bench::non_els().await;
    let kept = vec![bench.create(0, 1), bench.create(1, 1)];
    bench.push(&mut Notes::of(kept.clone())).await;
    let port = format!("ethernet-switching-options secure-access-port interface {}", bench.create(0, 2).interface);
    bench.operator_sets(&[&format!("protect {port}")]);
    let free = Wish { vmac_id: 3, ..bench.create(1, 3) };
    let mut notes = Notes::of(vec![Wish { vmac_id: 2, ..bench.create(0, 2) }, free.clone()]);
    let report = bench.push(&mut notes).await;
    assert_eq!(codes(&report), [(2, Some(Code::RefusedBySwitch)), (3, None)], "{report:?}");
    assert!(format!("{report:?}").contains("is protected"), "in the switch's own words");
    assert_eq!(bench.extra(), Bench::bound(&[kept, vec![free]].concat()));
    bench.assert_tidy();
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
