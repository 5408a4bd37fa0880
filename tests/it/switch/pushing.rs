//! What reaches the switch when all is well.

use vmacd::domain::plan::{EndState, Wish};
use vmacd::domain::{Code, Dialect};
use vmacd::switch::{PushEnd, Stage};

use super::bench::{Bench, Notes, codes, mac, whole};

/// Both dialects must do the same.
async fn both() -> [Bench; 2] {
    [Bench::non_els().await, Bench::els().await]
}

#[tokio::test]
async fn the_dialect_is_found_by_asking() {
    let [non_els, els] = both().await;
    assert_eq!(non_els.client().await.dialect(), Dialect::NonEls);
    assert_eq!(els.client().await.dialect(), Dialect::Els);
}

#[tokio::test]
async fn one_commit_carries_every_change_and_one_confirms_it() {
    for bench in both().await {
        let wishes: Vec<_> = (0..30).map(|number| bench.create(usize::from(number % 3), number)).collect();
        let before = bench.sim().commits();
        let mut notes = Notes::of(wishes.clone());
        let report = bench.push(&mut notes).await;
        assert_eq!(whole(&report), None, "{report:?}");
        assert_eq!(codes(&report), (0..30).map(|id| (id, None)).collect::<Vec<_>>());
        assert_eq!(bench.extra(), Bench::bound(&wishes));
        assert_eq!(bench.sim().commits() - before, 2, "commit confirmed, and its confirmation");
        assert_eq!((notes.ends.as_slice(), notes.backups.len()), ([PushEnd::Confirmed].as_slice(), 1));
        bench.assert_tidy();
    }
}

#[tokio::test]
async fn a_push_takes_its_stages_in_their_order() {
    let bench = Bench::non_els().await;
    let mut notes = Notes::of(vec![bench.create(0, 1)]);
    bench.push(&mut notes).await;
    use Stage::*;
    let expected =
        [Locked, BackedUp, Read, Gathered, Loaded, Sent, Committed, ReadBack, Answered, Confirmed, Resolved, Unlocked];
    assert_eq!(notes.stages, expected);
}

#[tokio::test]
async fn pushing_again_changes_nothing() {
    for bench in both().await {
        let mut notes = Notes::of(vec![bench.create(0, 1), bench.create(1, 2)]);
        bench.push(&mut notes).await;
        let (commits, text) = (bench.sim().commits(), bench.sim().committed_text());
        let report = bench.push(&mut notes).await;
        assert_eq!(codes(&report), [(1, None), (2, None)]);
        assert_eq!((bench.sim().commits(), bench.sim().committed_text()), (commits, text));
    }
}

#[tokio::test]
async fn the_backup_is_the_configuration_before_the_change() {
    for bench in both().await {
        let before = bench.sim().committed_text();
        let mut notes = Notes::of(vec![bench.create(0, 1)]);
        let report = bench.push(&mut notes).await;
        assert_eq!(notes.backups, [before.into_bytes()]);
        let reached = report.results[0].end.as_ref().expect("reached");
        assert_eq!(reached.push.as_ref().map(|(_, backup)| *backup), Some(Some(1)));
    }
}

#[tokio::test]
async fn a_revoke_takes_the_binding_off_and_leaves_the_others() {
    for bench in both().await {
        let (first, second) = (bench.create(0, 1), bench.create(0, 2));
        bench.push(&mut Notes::of(vec![first, second.clone()])).await;
        let report = bench.push(&mut Notes::of(vec![bench.revoke(0, 1)])).await;
        let reached = report.results[0].end.as_ref().expect("reached");
        assert_eq!((reached.end, reached.previous_mac), (EndState::Removed, Some(mac(0, 1))));
        assert_eq!(bench.extra(), Bench::bound(&[second]));
    }
}

#[tokio::test]
async fn a_revoke_restores_the_pxe_mac_where_it_stands_nowhere_else_on_the_port() {
    for bench in both().await {
        let created = bench.create(0, 1);
        bench.push(&mut Notes::of(vec![created.clone()])).await;
        bench.operator_removes(&bench.server(0).primary_ip);
        let report = bench.push(&mut Notes::of(vec![bench.revoke(0, 1)])).await;
        assert_eq!(report.results[0].end.as_ref().expect("reached").end, EndState::Restored, "{report:?}");
        assert_eq!(bench.extra(), [(created.ip.to_string(), created.pxe_mac.to_string())].into());
    }
}

#[tokio::test]
async fn without_any_other_hint_the_vlan_is_that_of_the_access_port() {
    for bench in both().await {
        let wish = Wish { primary_ip: None, ..bench.create(0, 1) };
        let report = bench.push(&mut Notes::of(vec![wish])).await;
        let vlan = report.results[0].wish.vlan.as_ref().map(ToString::to_string);
        assert_eq!((whole(&report), vlan.as_ref()), (None, Some(&bench.server(0).vlan)), "{report:?}");
        assert_eq!(bench.extra().len(), 1);
    }
}

#[tokio::test]
async fn of_the_vlans_of_a_trunk_it_is_the_one_whose_subnet_holds_the_address() {
    let bench = Bench::non_els().await;
    let server = bench.server(0);
    let port = server.interface.trim_end_matches(".0");
    bench.operator_sets(&[
        &format!("set interfaces {port} unit 0 family ethernet-switching port-mode trunk"),
        &format!("set interfaces {port} unit 0 family ethernet-switching vlan members by-subnet"),
        "set interfaces vlan unit 77 family inet address 10.0.0.254/24",
        "set vlans by-subnet vlan-id 77",
        "set vlans by-subnet l3-interface vlan.77",
    ]);
    let wish = Wish { primary_ip: None, ..bench.create(0, 1) };
    let report = bench.push(&mut Notes::of(vec![wish])).await;
    assert_eq!(report.results[0].wish.vlan.as_ref().map(ToString::to_string).as_deref(), Some("by-subnet"));
    let nowhere = Wish { primary_ip: None, ip: "192.0.2.200".parse().expect("an address"), ..bench.create(0, 2) };
    let report = bench.push(&mut Notes::of(vec![nowhere])).await;
    assert_eq!(codes(&report), [(2, Some(Code::VlanUnresolved))]);
}

#[tokio::test]
async fn a_binding_of_somebody_else_is_never_overwritten() {
    let bench = Bench::non_els().await;
    let (taken, free) = (bench.create(0, 1), bench.create(0, 2));
    let foreign = format!(
        "set ethernet-switching-options secure-access-port interface {} static-ip {} vlan {} mac 0c:c4:7a:99:99:99",
        bench.server(0).interface,
        taken.ip,
        bench.server(0).vlan
    );
    bench.operator_sets(&[&foreign]);
    let revoked = Wish { vmac_id: 3, ..bench.revoke(0, 1) };
    let report = bench.push(&mut Notes::of(vec![taken.clone(), free.clone(), revoked])).await;
    assert_eq!(codes(&report), [(1, Some(Code::ForeignBinding)), (2, None), (3, None)]);
    let kept = (taken.ip.to_string(), "0c:c4:7a:99:99:99".to_owned());
    assert_eq!(bench.extra(), Bench::bound(&[free]).into_iter().chain([kept]).collect());
}

#[tokio::test]
async fn everything_that_is_not_a_binding_stays_as_it_was() {
    for bench in both().await {
        let without_bindings = |set: String| -> Vec<String> {
            set.lines().filter(|line| !line.contains("static-ip")).map(str::to_owned).collect()
        };
        let before = without_bindings(bench.sim().committed_set());
        bench.push(&mut Notes::of(vec![bench.create(0, 1), bench.create(1, 2)])).await;
        bench.push(&mut Notes::of(vec![bench.revoke(0, 1), bench.revoke(1, 2)])).await;
        let after = without_bindings(bench.sim().committed_set());
        assert_eq!(after, before);
        assert!(bench.extra().is_empty());
    }
}

#[tokio::test]
async fn one_session_serves_many_pushes() {
    let bench = Bench::non_els().await;
    let mut client = bench.client().await;
    for number in 0..5 {
        let mut notes = Notes::of(vec![bench.create(0, number)]);
        let options = vmacd::switch::PushOptions { confirm_timeout_min: 5 };
        let report = vmacd::switch::push(&mut client, &mut notes, &options).await;
        assert!(report.session_usable && report.whole.is_none(), "{report:?}");
    }
    assert_eq!(bench.extra().len(), 5);
    assert_eq!(bench.sim().sessions(), 1);
}
