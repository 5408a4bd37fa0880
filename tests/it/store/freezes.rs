//! Frozen sites, and what a site's pushes come to.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use serde_json::json;
use vmacd::domain::{Code, Freeze, FreezeKind, FreezeOrder, Scope};
use vmacd::store::{Lease, PushRow, PushState, Store, StoreError};

use super::bench::{Bench, create, inventory, switch};

on_both_engines! {
    a_site_is_frozen_until_its_time_or_until_it_is_thawed,
    what_freezes_all_sites_counts_for_each_and_the_longest_is_told,
    a_site_at_which_no_switch_stands_cannot_be_frozen,
    a_site_is_kept_when_the_file_has_none,
    a_site_is_stopped_once_until_it_is_thawed,
    a_short_freeze_ends_no_longer_one_and_no_stop,
    a_thaw_ends_every_freeze_of_a_site_and_says_which,
    a_site_is_thawed_when_its_last_freeze_ends,
    the_same_freeze_again_is_made_longer_and_never_shorter,
    many_workers_stop_a_site_once,
    failed_pushes_count_by_site_until_it_is_thawed,
    what_was_found_out_by_a_later_lease_counts_for_nothing,
    many_workers_together_keep_to_a_sites_commits,
    rows_that_wait_say_why_once,
}

const WINDOW: Duration = Duration::from_secs(600);

fn site(name: &str) -> Scope {
    name.parse().expect("a scope")
}

/// sw-a stands at ams1, sw-b at none.
async fn place(bench: &Bench) {
    let mut placed = inventory();
    placed.switches[0].site = Some("ams1".parse().expect("a name"));
    bench.store.import(&placed).await.expect("imported");
}

fn order(name: &str, seconds: i64) -> FreezeOrder {
    let until = Utc::now() + TimeDelta::seconds(seconds);
    FreezeOrder { site: site(name), until, reason: Some("upgrade".to_owned()), made_by: "alice".to_owned() }
}

async fn freeze_of(bench: &Bench, name: &str) -> Option<Freeze> {
    let known = bench.store.switch(&switch(name)).await.expect("a switch").freeze;
    let overview = bench.store.switch_overview(&switch(name)).await.expect("a switch").known.freeze;
    assert_eq!(known, overview);
    let listed = bench.store.switches().await.expect("switches");
    assert_eq!(listed.iter().find(|known| known.switch.name == switch(name)).expect("a switch").freeze, known);
    known
}

async fn a_site_is_frozen_until_its_time_or_until_it_is_thawed(bench: &Bench) {
    place(bench).await;
    let made = bench.store.freeze(&order("ams1", 3_600)).await.expect("frozen");
    let found = freeze_of(bench, "sw-a").await.expect("frozen");
    assert_eq!((&found.site, &found.reason, found.kind), (&site("ams1"), &made.reason, FreezeKind::Manual));
    assert_eq!(freeze_of(bench, "sw-b").await, None, "another site");
    assert_eq!(bench.another().await.freezes().await.expect("freezes").len(), 1);
    assert_eq!(bench.store.counts().await.expect("counts").sites_frozen, [("ams1".to_owned(), "manual")]);
    bench.store.thaw(&site("ams1")).await.expect("thawed");
    assert_eq!((freeze_of(bench, "sw-a").await, bench.store.freezes().await.expect("freezes").len()), (None, 0));
    let thawed = bench.store.thawed_since(made.made_at).await.expect("an answer");
    assert_eq!(thawed, [site("ams1")]);
    let again = bench.store.thaw(&site("ams1")).await;
    assert!(matches!(again, Err(StoreError::NotFound { .. })), "{again:?}");
    bench.store.freeze(&order("ams1", -1)).await.expect("written");
    assert_eq!(freeze_of(bench, "sw-a").await, None, "its time is over");
}

async fn what_freezes_all_sites_counts_for_each_and_the_longest_is_told(bench: &Bench) {
    place(bench).await;
    bench.store.freeze(&order("*", 60)).await.expect("frozen");
    for name in ["sw-a", "sw-b"] {
        assert_eq!(freeze_of(bench, name).await.expect("frozen").site, Scope::All);
    }
    bench.store.freeze(&order("-", 3_600)).await.expect("frozen");
    assert_eq!(freeze_of(bench, "sw-a").await.expect("frozen").site, Scope::All);
    assert_eq!(freeze_of(bench, "sw-b").await.expect("frozen").site, Scope::Site(None));
    bench.store.thaw(&Scope::All).await.expect("thawed");
    assert_eq!(freeze_of(bench, "sw-a").await, None);
    assert!(freeze_of(bench, "sw-b").await.is_some(), "what was frozen by itself stays so");
}

async fn a_site_at_which_no_switch_stands_cannot_be_frozen(bench: &Bench) {
    let refused = bench.store.freeze(&order("ams1", 60)).await;
    assert!(matches!(&refused, Err(StoreError::NotFound { what: "site", .. })), "{refused:?}");
    place(bench).await;
    bench.store.freeze(&order("ams1", 60)).await.expect("frozen");
    let sites = bench.store.sites().await.expect("sites");
    let mut names: Vec<String> = sites.iter().map(|(site, count)| format!("{site:?} {count}")).collect();
    names.sort();
    assert_eq!(names, ["None 1", "Some(SiteName(\"ams1\")) 1"]);
}

async fn a_site_is_kept_when_the_file_has_none(bench: &Bench) {
    place(bench).await;
    let report = bench.store.import(&inventory()).await.expect("imported");
    assert_eq!((report.updated, report.unchanged), (0, 6));
    let exported = bench.store.export().await.expect("an inventory");
    assert_eq!(exported.switches[0].site, Some("ams1".parse().expect("a name")));
}

async fn a_site_is_stopped_once_until_it_is_thawed(bench: &Bench) {
    place(bench).await;
    assert!(stop(&bench.store, "worker-1").await);
    assert!(!stop(&bench.store, "worker-2").await);
    let found = freeze_of(bench, "sw-a").await.expect("frozen");
    assert_eq!((found.kind, found.reason.as_deref()), (FreezeKind::Automatic, Some("commits fail")));
    assert_eq!((found.until, found.made_by.as_str()), (Freeze::NEVER, "worker-1"));
    bench.store.thaw(&site("ams1")).await.expect("thawed");
    assert!(stop(&bench.store, "worker-1").await, "and again after that");
}

async fn stop(store: &Store, worker: &str) -> bool {
    store.stop_site(Some(&"ams1".parse().expect("a name")), "commits fail", worker).await.expect("an answer")
}

/// Who keeps ams1 frozen, the one that ends last first.
async fn in_force(bench: &Bench) -> Vec<String> {
    let freezes = bench.store.freezes().await.expect("freezes");
    freezes.into_iter().filter(|freeze| freeze.site == site("ams1")).map(|freeze| freeze.made_by).collect()
}

/// Everything that began ends this much earlier, as if so much time had passed.
async fn pass(bench: &Bench, seconds: i64) {
    for freeze in bench.store.freezes().await.expect("freezes") {
        let until = freeze.until - TimeDelta::seconds(seconds);
        let (until, made_by) = (until.to_rfc3339(), freeze.made_by);
        bench.execute(format!("UPDATE freezes SET until = '{until}' WHERE made_by = '{made_by}'")).await;
    }
}

fn by(name: &str, seconds: i64) -> FreezeOrder {
    FreezeOrder { made_by: name.to_owned(), ..order("ams1", seconds) }
}

async fn a_short_freeze_ends_no_longer_one_and_no_stop(bench: &Bench) {
    place(bench).await;
    // Before the stop and after it, before the longer one and after it.
    for name in ["alice", "bob"] {
        bench.store.freeze(&by(name, 60)).await.expect("frozen");
        bench.store.freeze(&by("carol", 7_200)).await.expect("frozen");
        stop(&bench.store, "worker-1").await;
    }
    assert_eq!(in_force(bench).await, ["worker-1", "carol", "bob", "alice"]);
    assert_eq!(freeze_of(bench, "sw-a").await.expect("frozen").kind, FreezeKind::Automatic, "why it goes on waiting");
    let metrics = bench.store.counts().await.expect("counts").sites_frozen;
    assert_eq!(metrics, [("ams1".to_owned(), "automatic"), ("ams1".to_owned(), "manual")]);
    pass(bench, 3_600).await;
    assert_eq!(in_force(bench).await, ["worker-1", "carol"]);
    pass(bench, 7_200).await;
    assert_eq!(in_force(bench).await, ["worker-1"]);
    assert_eq!(freeze_of(bench, "sw-a").await.expect("frozen").made_by, "worker-1");
}

async fn a_thaw_ends_every_freeze_of_a_site_and_says_which(bench: &Bench) {
    place(bench).await;
    bench.store.freeze(&by("alice", 60)).await.expect("frozen");
    bench.store.freeze(&by("bob", 3_600)).await.expect("frozen");
    stop(&bench.store, "worker-1").await;
    bench.store.freeze(&order("*", 60)).await.expect("frozen");
    let thawed = bench.store.thaw(&site("ams1")).await.expect("thawed");
    let told: Vec<_> = thawed.iter().map(|freeze| (freeze.made_by.as_str(), freeze.kind.as_str())).collect();
    assert_eq!(told, [("worker-1", "automatic"), ("bob", "manual"), ("alice", "manual")]);
    assert_eq!(freeze_of(bench, "sw-a").await.expect("frozen").site, Scope::All, "another freeze");
    let again = bench.store.thaw(&site("ams1")).await;
    assert!(matches!(again, Err(StoreError::NotFound { .. })), "{again:?}");
}

async fn a_site_is_thawed_when_its_last_freeze_ends(bench: &Bench) {
    place(bench).await;
    let began = bench.store.freeze(&by("alice", 60)).await.expect("frozen").made_at;
    bench.store.freeze(&by("bob", 7_200)).await.expect("frozen");
    // Ends as it is made.
    bench.store.freeze(&by("carol", -1)).await.expect("written");
    let thawed = async || bench.store.thawed_since(began - TimeDelta::hours(1)).await.expect("an answer");
    assert_eq!(thawed().await, [], "bob's freeze goes on");
    bench.store.freeze(&order("*", 60)).await.expect("frozen");
    bench.store.thaw(&site("ams1")).await.expect("thawed");
    assert_eq!(thawed().await, [], "all sites are frozen");
    bench.store.thaw(&Scope::All).await.expect("thawed");
    assert_eq!(thawed().await, [Scope::All, site("ams1")]);
}

async fn the_same_freeze_again_is_made_longer_and_never_shorter(bench: &Bench) {
    place(bench).await;
    let made = bench.store.freeze(&order("ams1", 3_600)).await.expect("frozen");
    let shorter = bench.store.freeze(&order("ams1", 60)).await.expect("frozen");
    assert_eq!(shorter.until.timestamp(), made.until.timestamp());
    let wanted = order("ams1", 7_200);
    let longer = bench.store.freeze(&wanted).await.expect("frozen");
    assert_eq!((longer.until, longer.made_at), (wanted.until, made.made_at));
    assert_eq!(in_force(bench).await, ["alice"]);
    let other_reason = FreezeOrder { reason: Some("power".to_owned()), ..order("ams1", 60) };
    bench.store.freeze(&other_reason).await.expect("frozen");
    assert_eq!(in_force(bench).await, ["alice", "alice"]);
}

async fn many_workers_stop_a_site_once(bench: &Bench) {
    place(bench).await;
    let other = bench.another().await;
    let tries = (0..8).map(|number| {
        let store = if number % 2 == 0 { &bench.store } else { &other };
        async move { stop(store, &format!("worker-{number}")).await }
    });
    let stopped = futures_util::future::join_all(tries).await;
    assert_eq!(stopped.iter().filter(|stopped| **stopped).count(), 1, "{stopped:?}");
    assert_eq!(in_force(bench).await.len(), 1);
}

/// A push whose commit was sent.
async fn sent(store: &Store, lease: &Lease, id: &str) {
    let push = PushRow { id: id.to_owned(), plan: json!([]), changes: 1, backup_id: None };
    store.push_prepared(lease, &push).await.expect("written down");
    store.push_advanced(lease, id, PushState::Sent, None).await.expect("written down");
}

async fn failed(bench: &Bench, name: &str) -> Vec<String> {
    let failed = bench.store.failed_pushes(&switch(name), WINDOW).await.expect("pushes");
    failed.into_iter().map(|push| push.id).collect()
}

async fn failed_pushes_count_by_site_until_it_is_thawed(bench: &Bench) {
    place(bench).await;
    let (a, b) = (bench.lease("sw-a").await, bench.lease("sw-b").await);
    for (id, end) in [("good", PushState::Confirmed), ("refused", PushState::Refused), ("back", PushState::NotApplied)]
    {
        sent(&bench.store, &a, id).await;
        bench.store.push_advanced(&a, id, end, None).await.expect("written down");
    }
    assert!(bench.store.note_failed_pushes(&a).await.expect("noted"));
    assert!(!bench.store.note_failed_pushes(&a).await.expect("noted"), "nothing new");
    sent(&bench.store, &a, "lost").await;
    assert!(bench.store.note_failed_pushes(&a).await.expect("noted"));
    assert!(!bench.store.note_failed_pushes(&b).await.expect("noted"));
    assert_eq!(failed(bench, "sw-a").await, ["back", "lost"]);
    assert!(failed(bench, "sw-b").await.is_empty(), "another site");
    bench.store.stop_site(Some(&"ams1".parse().expect("a name")), "commits fail", "w").await.expect("stopped");
    assert_eq!(failed(bench, "sw-a").await.len(), 2);
    bench.store.thaw(&site("ams1")).await.expect("thawed");
    assert!(failed(bench, "sw-a").await.is_empty(), "somebody has looked");
}

async fn what_was_found_out_by_a_later_lease_counts_for_nothing(bench: &Bench) {
    let crashed = bench.lease("sw-a").await;
    sent(&bench.store, &crashed, "crashed").await;
    bench.store.release(&crashed).await.expect("released");
    let next = bench.lease("sw-a").await;
    bench.store.push_advanced(&next, "crashed", PushState::NotApplied, None).await.expect("found out");
    assert!(!bench.store.note_failed_pushes(&next).await.expect("noted"), "its worker died; the switch did nothing");
}

async fn many_workers_together_keep_to_a_sites_commits(bench: &Bench) {
    let mut wide = inventory();
    let one = wide.switches[0].clone();
    wide.switches = (0..8).map(|n| vmacd::domain::Switch { name: switch(&format!("sw-{n}")), ..one.clone() }).collect();
    wide.servers.clear();
    bench.store.import(&wide).await.expect("imported");
    let other = bench.another().await;
    let tries = (0..8).map(|number| {
        let store = if number % 2 == 0 { &bench.store } else { &other };
        async move {
            let lease = bench.lease(&format!("sw-{number}")).await;
            let push = PushRow { id: format!("p-{number}"), plan: json!([]), changes: 1, backup_id: None };
            store.push_prepared(&lease, &push).await.expect("written down");
            store.push_sent_within(&lease, &push.id, 3).await.expect("an answer")
        }
    });
    let sent = futures_util::future::join_all(tries).await;
    assert_eq!(sent.iter().filter(|sent| **sent).count(), 3, "{sent:?}");
    assert!(!bench.store.may_site_commit(&switch("sw-0"), 3).await.expect("an answer"));
    assert!(bench.store.may_site_commit(&switch("sw-0"), 4).await.expect("an answer"));
}

async fn rows_that_wait_say_why_once(bench: &Bench) {
    bench.admit_all(&[create("m-1", 1, "10.0.1.7"), create("m-2", 2, "10.0.2.7")]).await;
    let freeze = bench.store.freeze(&order("-", 60)).await.expect("frozen");
    let failure = freeze.failure(&switch("sw-a"));
    bench.store.note_why_waiting(&switch("sw-a"), &failure).await.expect("written");
    let row = bench.row("10.0.1.7").await;
    assert_eq!(
        (row.failure_code.as_deref(), row.failure_text),
        (Some(Code::Frozen.as_str()), Some(failure.text.clone()))
    );
    assert_eq!((row.attempts, bench.row("10.0.2.7").await.failure_code), (0, None), "on another switch");
    bench.store.note_why_waiting(&switch("sw-a"), &failure).await.expect("written");
    assert_eq!(bench.row("10.0.1.7").await.updated_at, row.updated_at);
    bench.settle("sw-a").await;
    assert_eq!(bench.row("10.0.1.7").await.failure_code, None);
}
