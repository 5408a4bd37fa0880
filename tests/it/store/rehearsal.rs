//! Taking commands in and back again.

use vmacd::domain::{Code, Mac};
use vmacd::store::{Admission, Incoming, Rehearsal};

use super::bench::{Bench, create, revoke, rng, switch};

on_both_engines! {
    a_rehearsal_answers_as_the_admission_would_and_leaves_nothing,
    a_rehearsal_tells_whose_mac_is_an_example,
}

async fn rehearse(bench: &Bench, group: &[Incoming]) -> Rehearsal {
    bench.store.intake().rehearse(group, &mut rng()).await.expect("an answer")
}

async fn a_rehearsal_answers_as_the_admission_would_and_leaves_nothing(bench: &Bench) {
    bench.admit_all(&[create("m-0", 1, "10.0.1.9"), create("m-00", 1, "10.0.1.8")]).await;
    bench.settle("sw-a").await;
    let before = (bench.rows().await, bench.events().await.len(), bench.row("10.0.1.9").await);
    let group = [
        create("m-1", 3, "10.0.3.10"),
        create("m-2", 9, "10.0.9.1"),
        create("m-3", 2, "10.0.1.8"),
        revoke("m-4", 1, "10.0.1.9"),
    ];
    let rehearsal = rehearse(bench, &group).await;
    let codes: Vec<_> = rehearsal
        .admissions
        .iter()
        .map(|admission| match admission {
            Admission::Refused { failure } => Some(failure.code),
            _ => None,
        })
        .collect();
    assert_eq!(codes, [None, Some(Code::UnknownServer), Some(Code::AddressTaken), None]);
    let waiting: Vec<_> = rehearsal.work.iter().map(|(name, items)| (name.to_string(), items.len())).collect();
    assert_eq!(waiting, [("sw-a".to_owned(), 2), ("sw-b".to_owned(), 1)]);
    assert_eq!((bench.rows().await, bench.events().await.len(), bench.row("10.0.1.9").await), (before.0, 0, before.2));
    for name in ["sw-a", "sw-b"] {
        assert!(bench.work(name).await.is_empty(), "{name}");
    }
    for key in ["m-1", "m-2", "m-3", "m-4"] {
        assert!(bench.outcome(key).await.is_none(), "{key}");
    }
    let admission = bench.admit(create("m-1", 3, "10.0.3.10")).await;
    assert!(matches!(admission, Admission::Work { ref switches, .. } if *switches == [switch("sw-a"), switch("sw-b")]));
}

async fn a_rehearsal_tells_whose_mac_is_an_example(bench: &Bench) {
    let given: Mac = "02:5e:10:00:00:01".parse().expect("a MAC");
    let mut named = create("m-1", 1, "10.0.1.10");
    named.command.mac_address = Some(given);
    let rehearsal = rehearse(bench, &[named, create("m-2", 1, "10.0.1.11")]).await;
    let macs: Vec<_> =
        rehearsal.work[&switch("sw-a")].iter().map(|item| (item.vmac.id, item.vmac.mac_address)).collect();
    assert_eq!((macs.len(), rehearsal.drawn.len()), (2, 1));
    let drawn = macs.iter().find(|(id, _)| rehearsal.drawn.contains(id)).expect("the drawn one");
    assert!(macs.iter().any(|(_, mac)| *mac == given) && drawn.1 != given, "{macs:?}");
}
