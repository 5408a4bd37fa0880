//! What switches showed of bindings: written where it is something else than before, found by the filter, and counted.

use std::collections::{BTreeMap, HashMap};

use vmacd::domain::evidence::EvidenceTable;
use vmacd::domain::in_force::{InForceCode, InForceReason, InForceState, InForceVerdict};
use vmacd::store::{ShownInForce, Vmac, VmacFilter};

use super::bench::{Bench, create, revoke, switch};

on_both_engines! {
    what_a_switch_shows_again_is_not_written_again,
    rows_are_found_by_whether_they_are_in_force_and_those_that_are_not_are_counted,
}

const IPS: [&str; 3] = ["10.0.1.10", "10.0.1.11", "10.0.1.12"];

/// Three active rows on sw-a.
async fn active(bench: &Bench) -> Vec<Vmac> {
    let creates: Vec<_> = IPS.iter().map(|ip| create(ip, 1, ip)).collect();
    bench.admit_all(&creates).await;
    bench.settle("sw-a").await;
    let mut rows = Vec::new();
    for ip in IPS {
        rows.push(bench.row(ip).await);
    }
    rows
}

fn no() -> InForceVerdict {
    InForceVerdict::No(InForceReason { code: InForceCode::Trunk, text: "it is a trunk".to_owned() })
}

fn unknown() -> InForceVerdict {
    InForceVerdict::Unknown(InForceReason { code: InForceCode::NotShown, text: "it shows nothing".to_owned() })
}

/// Notes these verdicts, one for each row, as of a look at the whole switch; answers with how many were news.
async fn look(bench: &Bench, rows: &[Vmac], verdicts: &[InForceVerdict]) -> usize {
    let shown = |(row, verdict): (&Vmac, &InForceVerdict)| ShownInForce {
        vmac_id: row.id,
        interface: row.switch_bindings[0].interface.clone(),
        verdict: verdict.clone(),
        tables: BTreeMap::from([(EvidenceTable::Learned, *verdict != unknown())]),
    };
    let shown: Vec<_> = rows.iter().zip(verdicts).map(shown).collect();
    let as_of: HashMap<_, _> = rows.iter().map(|row| (row.id, row.updated_at)).collect();
    bench.store.checks().record_in_force(&switch("sw-a"), &shown, &as_of, true).await.expect("noted").len()
}

async fn bindings(bench: &Bench) -> Vec<serde_json::Value> {
    let mut found = Vec::new();
    for ip in IPS {
        found.push(serde_json::json!(bench.row(ip).await.switch_bindings));
    }
    found
}

async fn what_a_switch_shows_again_is_not_written_again(bench: &Bench) {
    let rows = active(bench).await;
    let verdicts = [InForceVerdict::Yes(EvidenceTable::IpSourceGuard), no(), unknown()];
    assert_eq!(look(bench, &rows, &verdicts).await, 1, "that one is not in force is news");
    let (noted, seen) = (bindings(bench).await, bench.store.checks().in_force_seen_at(&rows[0]).await.expect("a time"));
    let sent = bench.store.statements();
    assert_eq!(look(bench, &rows, &verdicts).await, 0);
    let sent = bench.store.statements() - sent;
    assert!(sent <= 4, "{sent} statements: the rows are read, and the time is kept with the switch");
    assert_eq!(bindings(bench).await, noted, "each says since when it is so");
    let seen_again = bench.store.checks().in_force_seen_at(&rows[0]).await.expect("a time");
    assert!(seen_again[&switch("sw-a")] >= seen[&switch("sw-a")]);
    let later = [InForceVerdict::Yes(EvidenceTable::IpSourceGuard), no(), no()];
    assert_eq!(look(bench, &rows, &later).await, 1);
    let changed = bindings(bench).await;
    assert_eq!((&changed[..2], changed[2] == noted[2]), (&noted[..2], false), "one row was written");
}

async fn rows_are_found_by_whether_they_are_in_force_and_those_that_are_not_are_counted(bench: &Bench) {
    let rows = active(bench).await;
    let found = async |state| {
        let filter = VmacFilter { in_force: Some(state), ..VmacFilter::default() };
        let found = bench.store.vmacs().find(&filter).await.expect("rows");
        let count = bench.store.vmacs().count(&filter).await.expect("a count");
        assert_eq!(usize::try_from(count).ok(), Some(found.len()));
        found.iter().map(|row| row.ip_address.to_string()).collect::<Vec<_>>()
    };
    let counted = async || bench.store.statistics().counts().await.expect("counts").rows_not_in_force;
    assert_eq!(found(InForceState::Unknown).await, IPS, "nobody has looked yet");
    look(bench, &rows, &[InForceVerdict::Yes(EvidenceTable::IpSourceGuard), no(), unknown()]).await;
    assert_eq!(found(InForceState::Yes).await, [IPS[0]]);
    assert_eq!((found(InForceState::No).await, counted().await), (vec![IPS[1].to_owned()], 1));
    assert_eq!(found(InForceState::Unknown).await, [IPS[2]]);
    bench.admit(revoke("gone", 1, IPS[1])).await;
    bench.settle("sw-a").await;
    assert_eq!((found(InForceState::No).await, counted().await), (Vec::new(), 0), "it is bound no more");
}
