//! Switches that are due are handed out: each to one worker, as many as it asks for, the oldest work first.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;
use vmacd::domain::{Code, Failure, SiteName};
use vmacd::store::{Incoming, Lease, Store};

use super::bench::{Bench, LONG, create, switch};
use crate::support::eventually;

on_both_engines! {
    a_worker_claims_as_many_switches_as_it_asks_for_and_each_goes_to_one,
    eight_workers_together_claim_a_hundred_switches_once_each,
    the_switch_whose_work_has_been_due_longest_comes_first,
    a_switch_in_trouble_is_not_claimed_before_its_next_try,
    a_switch_that_somebody_has_is_not_claimed,
    work_for_later_is_not_claimed,
    switches_of_full_sites_are_left_to_others,
    the_claim_of_a_worker_that_ran_out_goes_to_the_next_with_a_greater_token,
    a_time_of_a_clock_that_was_put_back_keeps_nobody_waiting,
    a_switch_that_was_given_back_with_work_left_is_claimed_again,
}

/// So many switches, each with a server and a row that waits for it; those with even numbers at ams1.
pub async fn wide(bench: &Bench, count: usize) {
    let site = |n: usize| if n.is_multiple_of(2) { json!("ams1") } else { json!(null) };
    let switches =
        (0..count).map(|n| json!({"name": format!("sw-{n:03}"), "host": "127.0.0.1", "port": 830, "site": site(n)}));
    let servers = (0..count).map(|n| {
        let port = json!({"switch": format!("sw-{n:03}"), "interface": "ge-0/0/1"});
        json!({"id": 1_000 + n, "pxe_mac": format!("52:54:00:01:{:02x}:{:02x}", n / 256, n % 256), "ports": [port]})
    });
    let (switches, servers): (Vec<_>, Vec<_>) = (switches.collect(), servers.collect());
    let inventory = serde_json::from_value(json!({"switches": switches, "servers": servers})).expect("an inventory");
    bench.store.inventory().import(&inventory).await.expect("imported");
    bench.admit_all(&(0..count).map(creating).collect::<Vec<_>>()).await;
}

fn creating(number: usize) -> Incoming {
    let ip = format!("10.50.{}.{}", number / 250, number % 250 + 1);
    create(&format!("wide-{number}"), 1_000 + i64::try_from(number).expect("few"), &ip)
}

async fn claim(store: &Store, worker: &str, limit: usize) -> Vec<Lease> {
    claim_beside(store, worker, limit, &[]).await
}

async fn claim_beside(store: &Store, worker: &str, limit: usize, full: &[Option<SiteName>]) -> Vec<Lease> {
    let claimed = store.leases().claim_due(worker, limit, LONG, full).await.expect("an answer");
    claimed.into_iter().map(|(lease, _)| lease).collect()
}

fn names(leases: &[Lease]) -> Vec<&str> {
    leases.iter().map(|lease| lease.switch.as_str()).collect()
}

async fn a_worker_claims_as_many_switches_as_it_asks_for_and_each_goes_to_one(bench: &Bench) {
    wide(bench, 7).await;
    let other = bench.another().await;
    assert_eq!(claim(&bench.store, "worker-0", 0).await, []);
    let (mine, theirs) = (claim(&bench.store, "worker-1", 4).await, claim(&other, "worker-2", 4).await);
    assert_eq!((mine.len(), theirs.len()), (4, 3), "no more than there are");
    let all: BTreeSet<_> = names(&mine).into_iter().chain(names(&theirs)).collect();
    assert_eq!(all.len(), 7);
    for lease in mine.iter().chain(&theirs) {
        assert!(bench.store.leases().holds(lease).await.expect("an answer"), "{lease:?}");
    }
    let claimed = bench.another().await.leases().claim_due("worker-3", 4, LONG, &[]).await.expect("an answer");
    assert!(claimed.is_empty(), "{claimed:?}");
}

async fn eight_workers_together_claim_a_hundred_switches_once_each(bench: &Bench) {
    wide(bench, 100).await;
    let other = bench.another().await;
    let mut claimed = Vec::new();
    loop {
        let tries = (0..8).map(|number| {
            let store = if number % 2 == 0 { &bench.store } else { &other };
            async move { claim(store, &format!("worker-{number}"), 4).await }
        });
        let round = futures_util::future::join_all(tries).await;
        assert!(round.iter().all(|leases| leases.len() <= 4), "{round:?}");
        let before = claimed.len();
        claimed.extend(round.into_iter().flatten());
        if claimed.len() == before {
            break;
        }
    }
    let each: BTreeSet<_> = names(&claimed).into_iter().collect();
    assert_eq!((claimed.len(), each.len()), (100, 100));
    for lease in &claimed {
        assert!(bench.store.leases().holds(lease).await.expect("an answer"), "{lease:?}");
    }
}

async fn the_switch_whose_work_has_been_due_longest_comes_first(bench: &Bench) {
    wide(bench, 6).await;
    for (n, due_at_ms) in [(0, 600), (1, 200), (2, 500), (3, 100), (4, 400), (5, 300)] {
        bench.execute(format!("UPDATE switch_work SET due_at_ms = {due_at_ms} WHERE switch = 'sw-00{n}'")).await;
    }
    let mut order = Vec::new();
    for _ in 0..3 {
        let mut two = claim(&bench.store, "worker-1", 2).await;
        two.sort_by_key(|lease| lease.switch.clone());
        order.push(names(&two).join(" "));
    }
    assert_eq!(order, ["sw-001 sw-003", "sw-004 sw-005", "sw-000 sw-002"]);
}

async fn a_switch_in_trouble_is_not_claimed_before_its_next_try(bench: &Bench) {
    bench.admit_all(&[create("m-1", 1, "10.0.1.10"), create("m-2", 2, "10.0.2.10")]).await;
    bench.fail("sw-a", &Failure::new(Code::Unreachable, "no route")).await;
    assert_eq!(bench.work("sw-a").await.len(), 1, "its work is due all the same");
    assert_eq!(names(&claim(&bench.store, "worker-1", 4).await), ["sw-b"]);
    bench.make_due().await;
    assert_eq!(names(&claim(&bench.store, "worker-1", 4).await), ["sw-a"]);
}

async fn a_switch_that_somebody_has_is_not_claimed(bench: &Bench) {
    bench.admit(create("m-1", 1, "10.0.1.10")).await;
    let held = bench.lease("sw-a").await;
    assert_eq!(claim(&bench.store, "worker-2", 4).await, []);
    bench.store.leases().release(&held).await.expect("released");
    assert_eq!(names(&claim(&bench.store, "worker-2", 4).await), ["sw-a"]);
}

async fn work_for_later_is_not_claimed(bench: &Bench) {
    bench.admit(create("m-1", 1, "10.0.1.10")).await;
    bench.fail("sw-a", &Failure::new(Code::ReadBackDiffers, "not there")).await;
    assert_eq!(claim(&bench.store, "worker-1", 4).await, []);
    // Other work for the same switch does not wait for it.
    bench.admit(create("m-2", 1, "10.0.1.11")).await;
    assert_eq!(names(&claim(&bench.store, "worker-1", 4).await), ["sw-a"]);
    let due: Vec<_> = bench.work("sw-a").await.iter().map(|item| item.vmac.ip_address.to_string()).collect();
    assert_eq!(due, ["10.0.1.11"]);
}

async fn switches_of_full_sites_are_left_to_others(bench: &Bench) {
    wide(bench, 6).await;
    let ams1: Option<SiteName> = Some("ams1".parse().expect("a name"));
    let claimed = bench.store.leases().claim_due("worker-1", 1, LONG, &[None]).await.expect("an answer");
    let told: Vec<_> = claimed.iter().map(|(lease, site)| (lease.switch.as_str(), site.clone())).collect();
    assert_eq!(told, [("sw-000", ams1.clone())], "with its site");
    assert_eq!(claim_beside(&bench.store, "worker-1", 9, &[None, ams1.clone()]).await, []);
    let mut without = claim_beside(&bench.store, "worker-1", 9, std::slice::from_ref(&ams1)).await;
    without.sort_by_key(|lease| lease.switch.clone());
    assert_eq!(names(&without), ["sw-001", "sw-003", "sw-005"]);
    assert_eq!(claim(&bench.store, "worker-2", 9).await.len(), 2);
}

async fn the_claim_of_a_worker_that_ran_out_goes_to_the_next_with_a_greater_token(bench: &Bench) {
    bench.admit(create("m-1", 1, "10.0.1.10")).await;
    let short = Duration::from_millis(30);
    let first = bench.store.leases().claim_due("worker-1", 1, short, &[]).await.expect("an answer").remove(0).0;
    let other = bench.another().await;
    let next = eventually("the claim runs out", async || claim(&other, "worker-2", 1).await.pop()).await;
    assert_eq!((next.switch.as_str(), next.holder.as_str()), ("sw-a", "worker-2"));
    assert!(next.token > first.token, "{first:?} {next:?}");
    assert!(!bench.store.leases().holds(&first).await.expect("an answer"));
    assert_eq!(bench.store.leases().holder(&switch("sw-a")).await.expect("an answer").as_deref(), Some("worker-2"));
}

/// Everything that was written down by a clock that ran a year ahead until somebody set it right.
async fn a_time_of_a_clock_that_was_put_back_keeps_nobody_waiting(bench: &Bench) {
    const YEAR_MS: i64 = 365 * 86_400_000;
    bench.admit(create("m-1", 1, "10.0.1.10")).await;
    for column in ["switch_work SET due_at_ms", "switch_leases SET next_try_at_ms", "switch_leases SET expires_at_ms"] {
        let later_ms = bench.store.now().await.expect("the time").timestamp_millis() + YEAR_MS;
        bench.execute(format!("UPDATE {column} = {later_ms}")).await;
        assert!(bench.store.work().due().await.expect("an answer").switches, "{column}");
        let claimed = claim(&bench.store, "worker-1", 4).await;
        assert_eq!(names(&claimed), ["sw-a"], "{column}");
        assert_eq!(bench.work("sw-a").await.len(), 1, "{column}");
        bench.store.leases().release(&claimed[0]).await.expect("released");
    }
}

async fn a_switch_that_was_given_back_with_work_left_is_claimed_again(bench: &Bench) {
    bench.admit(create("m-1", 1, "10.0.1.10")).await;
    let mut tokens = Vec::new();
    for _ in 0..3 {
        let claimed = claim(&bench.store, "worker-1", 1).await;
        tokens.push(claimed[0].token);
        bench.store.leases().release(&claimed[0]).await.expect("released");
    }
    assert!(tokens.is_sorted_by(|earlier, later| earlier < later), "{tokens:?}");
    bench.settle("sw-a").await;
    assert_eq!(claim(&bench.store, "worker-1", 1).await, []);
}
