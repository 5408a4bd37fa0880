//! What changes would come to, told by the switch, without a trace.

use vmacd::domain::plan::{EndState, Ownership, Wish};
use vmacd::domain::{Code, Failure};
use vmacd::sim::{Dialect, Options};
use vmacd::switch::{ChangePreview, preview_changes};

use super::bench::{Bench, Notes};

async fn look(bench: &Bench, wishes: &[Wish]) -> Result<ChangePreview, Failure> {
    let owned = Ownership { macs: wishes.iter().map(|wish| wish.mac).collect(), left: Vec::new() };
    preview_changes(&mut bench.client().await, wishes.to_vec(), &owned).await
}

#[tokio::test]
async fn the_difference_is_the_switchs_own_and_nothing_is_changed() {
    // What is likely of ELS takes the PXE MAC a second time.
    let els = Bench::with(Options { dialect: Dialect::Els, ..Options::default() }).await;
    for (bench, end) in [(Bench::non_els().await, EndState::Removed), (els, EndState::Restored)] {
        let bound = bench.create(0, 1);
        bench.push(&mut Notes::of(vec![bound.clone()])).await;
        let (commits, text) = (bench.sim().commits(), bench.sim().committed_text());
        let (new, gone) = (bench.create(1, 2), bench.revoke(0, 1));
        let preview = look(&bench, &[new.clone(), gone.clone()]).await.expect("a preview");
        let has = |sign: &str, ip: String| {
            preview.difference.lines().any(|line| line.starts_with(sign) && line.contains(&format!(" {ip} ")))
        };
        assert!(has("+", new.ip.to_string()) && has("-", gone.ip.to_string()), "{}", preview.difference);
        let mut ends: Vec<_> = preview.planned.iter().map(|step| step.as_ref().expect("a step").end).collect();
        ends.sort_by_key(|end| format!("{end:?}"));
        assert_eq!(ends, [EndState::Bound, end]);
        assert_eq!((bench.sim().commits(), bench.sim().committed_text()), (commits, text));
        bench.assert_tidy();
        let same = look(&bench, &[bound]).await.expect("a preview");
        assert_eq!((same.difference.as_str(), same.planned.len()), ("", 1));
    }
}

#[tokio::test]
async fn what_is_refused_is_told_and_the_difference_is_that_of_the_others() {
    let bench = Bench::els().await;
    bench.sim().set_fault("ipv6_refused").expect("a fault");
    let refused = Wish { ip: "2001:db8::6".parse().expect("an address"), ..bench.create(0, 6) };
    let foreign = bench.create(1, 3);
    bench.operator_sets(&[&format!(
        "set vlans VLAN.13 forwarding-options dhcp-security group servers interface {} static-ip {} mac 00:11:22:33:44:55",
        foreign.interface, foreign.ip
    )]);
    let wishes = [bench.create(0, 1), refused.clone(), bench.create(1, 2), foreign];
    let preview = look(&bench, &wishes).await.expect("a preview");
    let mut codes: Vec<_> = preview
        .planned
        .iter()
        .map(|planned| match planned {
            Ok(step) => (step.wish.vmac_id, None),
            Err((wish, failure)) => (wish.vmac_id, Some(failure.code)),
        })
        .collect();
    codes.sort_by_key(|(id, _)| *id);
    assert_eq!(codes, [(1, None), (2, None), (3, Some(Code::ForeignBinding)), (6, Some(Code::RefusedBySwitch))]);
    assert_eq!(preview.difference.matches("\n+").count(), 2, "{}", preview.difference);
    assert!(!preview.difference.contains("2001:db8::6"));
    bench.assert_tidy();
}

#[tokio::test]
async fn somebody_elses_lock_and_edits_are_left_alone() {
    let bench = Bench::non_els().await;
    bench.sim().operator_lock().expect("locked");
    assert_eq!(look(&bench, &[bench.create(0, 1)]).await.expect_err("locked").code, Code::LockedByOther);
    bench.sim().operator_unlock();
    bench.sim().operator_edit("set system host-name edited").expect("edited");
    assert_eq!(look(&bench, &[bench.create(0, 1)]).await.expect_err("dirty").code, Code::CandidateDirty);
    assert!(bench.sim().is_dirty(), "their edits stand");
}

#[tokio::test]
async fn a_preview_of_what_is_always_refused_ends_soon_and_tells_all_of_it() {
    let bench = Bench::non_els().await;
    bench.sim().set_fault("load_rejected").expect("a fault");
    let wishes: Vec<_> = (0..120).map(|number| bench.create(0, number)).collect();
    let preview = look(&bench, &wishes).await.expect("a preview");
    let codes: Vec<_> =
        preview.planned.iter().map(|planned| planned.as_ref().err().map(|(_, failure)| failure.code)).collect();
    assert_eq!(codes, vec![Some(Code::RefusedBySwitch); 120]);
    let loads = bench.sim().rpc_counts().get("load-configuration").copied().unwrap_or(0);
    assert!(loads <= 16, "{loads} loads");
    assert_eq!(preview.difference, "");
    bench.assert_tidy();
}
