//! Which workers run, as their rows say, and which switches are in trouble.

use chrono::{DateTime, Utc};
use vmacd::domain::WorkerHeartbeat;

use super::bench::{Bench, create};

on_both_engines! {
    a_worker_is_known_until_it_goes,
    switches_in_trouble_are_named_and_counted,
}

fn sign(name: &str, started_at: DateTime<Utc>) -> WorkerHeartbeat {
    let (name, version) = (name.to_owned(), "0.1.0".to_owned());
    WorkerHeartbeat { name, version, started_at, heard_at: started_at, broker_lost_at: None, trouble: None }
}

async fn a_worker_is_known_until_it_goes(bench: &Bench) {
    let started_at = bench.store.now().await.expect("a time");
    let (one, other) = (sign("vm-1/1/a", started_at), sign("vm-2/1/a", started_at));
    for sign in [&one, &other] {
        bench.store.workers().record(sign).await.expect("written");
    }
    let lost = WorkerHeartbeat { broker_lost_at: Some(started_at), trouble: Some("intake: hangs".to_owned()), ..one };
    bench.store.workers().record(&lost).await.expect("written again");
    let known = bench.store.workers().list().await.expect("workers");
    assert_eq!(known.len(), 2);
    assert_eq!((known[0].broker_lost_at, known[0].trouble.as_deref()), (Some(started_at), Some("intake: hangs")));
    assert!(known[1].heard_at >= started_at && known[1].broker_lost_at.is_none(), "{known:?}");
    bench.store.workers().forget("vm-1/1/a").await.expect("forgotten");
    let names: Vec<_> =
        bench.store.workers().list().await.expect("workers").into_iter().map(|worker| worker.name).collect();
    assert_eq!(names, ["vm-2/1/a"]);
    bench.execute("UPDATE workers SET heard_at_ms = heard_at_ms - 3700000".to_owned()).await;
    assert!(bench.store.workers().list().await.expect("workers")[0].is_silent(started_at));
    bench.store.workers().forget("nobody").await.expect("forgotten");
    assert!(bench.store.workers().list().await.expect("workers").is_empty(), "after an hour nobody asks any more");
}

async fn switches_in_trouble_are_named_and_counted(bench: &Bench) {
    assert_eq!(bench.store.switches().troubles(5).await.expect("troubles").count, 0);
    for (key, server, ip) in [("m-1", 1, "10.0.1.9"), ("m-2", 2, "10.0.2.9")] {
        bench.admit(create(key, server, ip)).await;
    }
    for switch in ["sw-a", "sw-b"] {
        let sql = format!(
            "UPDATE switch_leases SET failures = 3, failing_since_ms = 1000, failure_code = 'locked_by_other',
                 failure_text = 'admin has the lock', next_try_at_ms = 9000 WHERE switch = '{switch}'"
        );
        bench.execute(sql).await;
    }
    let troubles = bench.store.switches().troubles(1).await.expect("troubles");
    assert_eq!((troubles.count, troubles.longest.len()), (2, 1));
    let first = &troubles.longest[0];
    assert_eq!((first.switch.as_str(), first.trouble.code.as_str()), ("sw-a", "locked_by_other"));
    assert_eq!(first.trouble.next_try_at.timestamp_millis(), 9_000);
    let overview = bench.store.switches().overview(&first.switch).await.expect("a switch");
    let waits = overview.waits.expect("something waits");
    assert_eq!((overview.changes_waiting, waits.reason_code), (1, None));
}
