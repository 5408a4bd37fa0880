//! Frozen sites, and what a site's pushes come to.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use vmacd::domain::plan::{Wish, WishResult};
use vmacd::domain::{Code, Desired, Failure, Freeze, FreezeKind, FreezeOrder, Scope};
use vmacd::store::{Lease, PushResults, PushState, SiteLimits, Store, StoreError};

use super::bench::{Bench, inventory, switch};
use super::leases::{NO_LIMITS, sent};

on_both_engines! {
    a_site_is_frozen_until_its_time_or_until_it_is_thawed,
    what_freezes_all_sites_counts_for_each_and_the_longest_is_told,
    a_site_at_which_no_switch_stands_cannot_be_frozen,
    a_site_is_kept_when_the_file_has_none,
    a_site_is_stopped_once_until_it_is_thawed,
    a_short_freeze_ends_no_longer_one_and_no_stop,
    a_thaw_ends_every_freeze_of_a_site_and_says_which,
    a_thaw_has_the_switches_of_its_site_tried_at_once,
    a_frozen_site_is_committed_to_by_whoever_knows_of_it,
    the_same_freeze_again_is_made_longer_and_never_shorter,
    many_workers_stop_a_site_once,
    failed_pushes_count_by_site_until_it_is_thawed,
    what_was_found_out_by_a_later_lease_counts_for_nothing,
    many_workers_together_keep_to_a_sites_commits,
}

const WINDOW: Duration = Duration::from_secs(600);

fn site(name: &str) -> Scope {
    name.parse().expect("a scope")
}

/// sw-a stands at ams1, sw-b at none.
async fn place(bench: &Bench) {
    let mut placed = inventory();
    placed.switches[0].site = Some("ams1".parse().expect("a name"));
    bench.store.inventory().import(&placed).await.expect("imported");
}

fn order(name: &str, seconds: i64) -> FreezeOrder {
    let until = Utc::now() + TimeDelta::seconds(seconds);
    FreezeOrder { site: site(name), until, reason: Some("upgrade".to_owned()), made_by: "alice".to_owned() }
}

async fn freeze_of(bench: &Bench, name: &str) -> Option<Freeze> {
    let known = bench.store.switches().get(&switch(name)).await.expect("a switch").freeze;
    let overview = bench.store.switches().overview(&switch(name)).await.expect("a switch").known.freeze;
    assert_eq!(known, overview);
    let listed = bench.store.switches().list().await.expect("switches");
    assert_eq!(listed.iter().find(|known| known.switch.name == switch(name)).expect("a switch").freeze, known);
    known
}

async fn a_site_is_frozen_until_its_time_or_until_it_is_thawed(bench: &Bench) {
    place(bench).await;
    let made = bench.store.freezes().freeze(&order("ams1", 3_600)).await.expect("frozen");
    let found = freeze_of(bench, "sw-a").await.expect("frozen");
    assert_eq!((&found.site, &found.reason, found.kind), (&site("ams1"), &made.reason, FreezeKind::Manual));
    assert_eq!(freeze_of(bench, "sw-b").await, None, "another site");
    assert_eq!(bench.another().await.freezes().list().await.expect("freezes").len(), 1);
    assert_eq!(bench.store.statistics().counts().await.expect("counts").sites_frozen, [("ams1".to_owned(), "manual")]);
    bench.store.freezes().thaw(&site("ams1")).await.expect("thawed");
    assert_eq!((freeze_of(bench, "sw-a").await, bench.store.freezes().list().await.expect("freezes").len()), (None, 0));
    let again = bench.store.freezes().thaw(&site("ams1")).await;
    assert_eq!(again.expect_err("thawed").to_string(), "site ams1 is not frozen");
    bench.store.freezes().freeze(&order("ams1", -1)).await.expect("written");
    assert_eq!(freeze_of(bench, "sw-a").await, None, "its time is over");
}

async fn what_freezes_all_sites_counts_for_each_and_the_longest_is_told(bench: &Bench) {
    place(bench).await;
    bench.store.freezes().freeze(&order("*", 60)).await.expect("frozen");
    for name in ["sw-a", "sw-b"] {
        assert_eq!(freeze_of(bench, name).await.expect("frozen").site, Scope::All);
    }
    bench.store.freezes().freeze(&order("-", 3_600)).await.expect("frozen");
    assert_eq!(freeze_of(bench, "sw-a").await.expect("frozen").site, Scope::All);
    assert_eq!(freeze_of(bench, "sw-b").await.expect("frozen").site, Scope::Site(None));
    bench.store.freezes().thaw(&Scope::All).await.expect("thawed");
    assert_eq!(freeze_of(bench, "sw-a").await, None);
    assert!(freeze_of(bench, "sw-b").await.is_some(), "what was frozen by itself stays so");
}

async fn a_site_at_which_no_switch_stands_cannot_be_frozen(bench: &Bench) {
    let refused = bench.store.freezes().freeze(&order("ams1", 60)).await;
    assert!(matches!(&refused, Err(StoreError::NotFound { what: "site", .. })), "{refused:?}");
    place(bench).await;
    bench.store.freezes().freeze(&order("ams1", 60)).await.expect("frozen");
    let sites = bench.store.freezes().sites().await.expect("sites");
    let mut names: Vec<String> = sites.iter().map(|(site, count)| format!("{site:?} {count}")).collect();
    names.sort();
    assert_eq!(names, ["None 1", "Some(SiteName(\"ams1\")) 1"]);
}

async fn a_site_is_kept_when_the_file_has_none(bench: &Bench) {
    place(bench).await;
    let report = bench.store.inventory().import(&inventory()).await.expect("imported");
    assert_eq!((report.updated, report.unchanged), (0, 6));
    let exported = bench.store.inventory().export().await.expect("an inventory");
    assert_eq!(exported.switches[0].site, Some("ams1".parse().expect("a name")));
}

async fn a_site_is_stopped_once_until_it_is_thawed(bench: &Bench) {
    place(bench).await;
    assert!(stop(&bench.store, "worker-1").await);
    assert!(!stop(&bench.store, "worker-2").await);
    let found = freeze_of(bench, "sw-a").await.expect("frozen");
    assert_eq!((found.kind, found.reason.as_deref()), (FreezeKind::Automatic, Some("commits fail")));
    assert_eq!((found.until, found.made_by.as_str()), (Freeze::NEVER, "worker-1"));
    bench.store.freezes().thaw(&site("ams1")).await.expect("thawed");
    assert!(stop(&bench.store, "worker-1").await, "and again after that");
}

async fn stop(store: &Store, worker: &str) -> bool {
    store
        .freezes()
        .freeze_automatically(Some(&"ams1".parse().expect("a name")), "commits fail", worker)
        .await
        .expect("an answer")
}

/// Who keeps ams1 frozen, the one that ends last first.
async fn in_force(bench: &Bench) -> Vec<String> {
    let freezes = bench.store.freezes().list().await.expect("freezes");
    freezes.into_iter().filter(|freeze| freeze.site == site("ams1")).map(|freeze| freeze.made_by).collect()
}

/// Everything that began ends this much earlier, as if so much time had passed.
async fn pass(bench: &Bench, seconds: i64) {
    for freeze in bench.store.freezes().list().await.expect("freezes") {
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
        bench.store.freezes().freeze(&by(name, 60)).await.expect("frozen");
        bench.store.freezes().freeze(&by("carol", 7_200)).await.expect("frozen");
        stop(&bench.store, "worker-1").await;
    }
    assert_eq!(in_force(bench).await, ["worker-1", "carol", "bob", "alice"]);
    assert_eq!(freeze_of(bench, "sw-a").await.expect("frozen").kind, FreezeKind::Automatic, "why it goes on waiting");
    let metrics = bench.store.statistics().counts().await.expect("counts").sites_frozen;
    assert_eq!(metrics, [("ams1".to_owned(), "automatic"), ("ams1".to_owned(), "manual")]);
    pass(bench, 3_600).await;
    assert_eq!(in_force(bench).await, ["worker-1", "carol"]);
    pass(bench, 7_200).await;
    assert_eq!(in_force(bench).await, ["worker-1"]);
    assert_eq!(freeze_of(bench, "sw-a").await.expect("frozen").made_by, "worker-1");
}

async fn a_thaw_ends_every_freeze_of_a_site_and_says_which(bench: &Bench) {
    place(bench).await;
    bench.store.freezes().freeze(&by("alice", 60)).await.expect("frozen");
    bench.store.freezes().freeze(&by("bob", 3_600)).await.expect("frozen");
    stop(&bench.store, "worker-1").await;
    bench.store.freezes().freeze(&order("*", 60)).await.expect("frozen");
    let thawed = bench.store.freezes().thaw(&site("ams1")).await.expect("thawed");
    let told: Vec<_> = thawed.iter().map(|freeze| (freeze.made_by.as_str(), freeze.kind.as_str())).collect();
    assert_eq!(told, [("worker-1", "automatic"), ("bob", "manual"), ("alice", "manual")]);
    assert_eq!(freeze_of(bench, "sw-a").await.expect("frozen").site, Scope::All, "another freeze");
    let again = bench.store.freezes().thaw(&site("ams1")).await;
    assert!(matches!(again, Err(StoreError::NotFrozen(_))), "{again:?}");
}

async fn a_thaw_has_the_switches_of_its_site_tried_at_once(bench: &Bench) {
    place(bench).await;
    let next_try_at_ms = async |name: &str| {
        let known = bench.store.switches().get(&switch(name)).await.expect("a switch");
        known.trouble.expect("trouble").next_try_at.timestamp_millis()
    };
    for (scope, tried) in [("ams1", [true, false]), ("*", [true, true])] {
        let frozen = bench.store.freezes().freeze(&order(scope, 3_600)).await.expect("frozen");
        for name in ["sw-a", "sw-b"] {
            bench.fail(name, &frozen.failure(&switch(name))).await;
        }
        bench.store.freezes().thaw(&site(scope)).await.expect("thawed");
        assert_eq!([next_try_at_ms("sw-a").await == 0, next_try_at_ms("sw-b").await == 0], tried, "{scope}");
    }
    // What fails for another reason is left to its own time.
    bench.fail("sw-a", &Failure::new(Code::Unreachable, "no route")).await;
    bench.store.freezes().freeze(&order("ams1", 3_600)).await.expect("frozen");
    bench.store.freezes().thaw(&site("ams1")).await.expect("thawed");
    assert!(next_try_at_ms("sw-a").await > 0);
}

async fn a_frozen_site_is_committed_to_by_whoever_knows_of_it(bench: &Bench) {
    place(bench).await;
    let lease = bench.lease("sw-a").await;
    let heeding = SiteLimits { heeds_freezes: true, commits_per_minute_max: 0 };
    assert!(bench.store.pushes().open(&lease, heeding).await.expect("an answer").held_back.is_none());
    // Frozen after the push was opened: the statement that writes it down sees it.
    bench.store.freezes().freeze(&order("ams1", 3_600)).await.expect("frozen");
    let refused = bench.store.pushes().record_sent(&lease, &sent("p-1"), heeding).await.expect("an answer");
    assert_eq!(refused.map_err(|failure| failure.code), Err(Code::Frozen));
    let opened = bench.store.pushes().open(&lease, heeding).await.expect("an answer");
    assert_eq!(opened.held_back.map(|failure| failure.code), Some(Code::Frozen));
    assert!(opened.unresolved.is_empty() && opened.known.freeze.is_some());
    assert_eq!(bench.number("SELECT COUNT(*) FROM config_backups").await, 0, "nothing of it is kept");
    assert!(bench.store.pushes().record_sent(&lease, &sent("p-1"), NO_LIMITS).await.expect("an answer").is_ok());
    let elsewhere = bench.lease("sw-b").await;
    assert!(bench.store.pushes().record_sent(&elsewhere, &sent("p-2"), heeding).await.expect("an answer").is_ok());
}

async fn the_same_freeze_again_is_made_longer_and_never_shorter(bench: &Bench) {
    place(bench).await;
    let made = bench.store.freezes().freeze(&order("ams1", 3_600)).await.expect("frozen");
    let shorter = bench.store.freezes().freeze(&order("ams1", 60)).await.expect("frozen");
    assert_eq!(shorter.until.timestamp(), made.until.timestamp());
    let wanted = order("ams1", 7_200);
    let longer = bench.store.freezes().freeze(&wanted).await.expect("frozen");
    assert_eq!((longer.until, longer.made_at), (wanted.until, made.made_at));
    assert_eq!(in_force(bench).await, ["alice"]);
    let other_reason = FreezeOrder { reason: Some("power".to_owned()), ..order("ams1", 60) };
    bench.store.freezes().freeze(&other_reason).await.expect("frozen");
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

/// A push whose commit was sent, and what it came to, settled with what speaks against the site; true where that is new.
async fn push(store: &Store, lease: &Lease, id: &str, end: Option<PushState>) -> bool {
    store.pushes().record_sent(lease, &sent(id), NO_LIMITS).await.expect("written down").expect("allowed");
    settle(store, lease, id, end, Code::ReadBackDiffers).await
}

async fn settle(store: &Store, lease: &Lease, id: &str, end: Option<PushState>, code: Code) -> bool {
    let ends: Vec<_> = end.map(|end| (id.to_owned(), end)).into_iter().collect();
    let result = WishResult { wish: nobodys(), end: Err(Failure::new(code, "not there")) };
    let results = PushResults { ends: &ends, results: &[result], ..PushResults::default() };
    store.pushes().record(lease, &results).await.expect("settled").failed_pushes
}

/// A wish of a row that is gone: only what it came to matters.
fn nobodys() -> Wish {
    let mac = "02:00:00:00:00:09".parse().expect("a MAC");
    Wish {
        vmac_id: -1,
        desired: Desired::Bound,
        leaving: false,
        interface: "ge-0/0/9".parse().expect("a name"),
        ip: "10.0.9.9".parse().expect("an address"),
        mac,
        pxe_mac: mac,
        primary_ip: None,
        vlan: None,
    }
}

async fn failed(bench: &Bench, name: &str) -> Vec<String> {
    let failed = bench.store.pushes().failed_at_site_of(&switch(name), WINDOW).await.expect("pushes");
    failed.into_iter().map(|push| push.id).collect()
}

async fn failed_pushes_count_by_site_until_it_is_thawed(bench: &Bench) {
    place(bench).await;
    let store = &bench.store;
    // Each settlement gives the lease back: nothing more is due.
    let lease = async || bench.lease("sw-a").await;
    assert!(!push(store, &lease().await, "good", Some(PushState::Confirmed)).await);
    assert!(!push(store, &lease().await, "refused", Some(PushState::Refused)).await);
    assert!(push(store, &lease().await, "back", Some(PushState::NotApplied)).await);
    assert!(push(store, &lease().await, "lost", None).await);
    for (id, has_error) in [("good", false), ("refused", true), ("back", true), ("lost", true)] {
        assert_eq!(store.pushes().get(id).await.expect("a push").error.is_some(), has_error, "{id}");
    }
    let other = Failure::new(Code::ReadBackDiffers, "not there");
    bench.fail("sw-b", &other).await;
    assert_eq!(failed(bench, "sw-a").await, ["back", "lost"]);
    assert!(failed(bench, "sw-b").await.is_empty(), "another site");
    bench
        .store
        .freezes()
        .freeze_automatically(Some(&"ams1".parse().expect("a name")), "commits fail", "w")
        .await
        .expect("stopped");
    assert_eq!(failed(bench, "sw-a").await.len(), 2);
    bench.store.freezes().thaw(&site("ams1")).await.expect("thawed");
    assert!(failed(bench, "sw-a").await.is_empty(), "somebody has looked");
}

async fn what_was_found_out_by_a_later_lease_counts_for_nothing(bench: &Bench) {
    let crashed = bench.lease("sw-a").await;
    bench
        .store
        .pushes()
        .record_sent(&crashed, &sent("crashed"), NO_LIMITS)
        .await
        .expect("written down")
        .expect("allowed");
    bench.store.leases().release(&crashed).await.expect("released");
    let next = bench.lease("sw-a").await;
    let found = settle(&bench.store, &next, "crashed", Some(PushState::NotApplied), Code::ReadBackDiffers).await;
    assert!(!found, "its worker died; the switch did nothing");
    assert!(failed(bench, "sw-a").await.is_empty());
}

async fn many_workers_together_keep_to_a_sites_commits(bench: &Bench) {
    let mut wide = inventory();
    let one = wide.switches[0].clone();
    wide.switches = (0..8).map(|n| vmacd::domain::Switch { name: switch(&format!("sw-{n}")), ..one.clone() }).collect();
    wide.servers.clear();
    bench.store.inventory().import(&wide).await.expect("imported");
    let other = bench.another().await;
    let limits = |max| SiteLimits { heeds_freezes: true, commits_per_minute_max: max };
    let tries = (0..8).map(|number| {
        let store = if number % 2 == 0 { &bench.store } else { &other };
        async move {
            let lease = bench.lease(&format!("sw-{number}")).await;
            let id = format!("p-{number}");
            store
                .pushes()
                .record_sent(&lease, &sent(&id), limits(3))
                .await
                .expect("an answer")
                .map_err(|failure| failure.code)
        }
    });
    let sent = futures_util::future::join_all(tries).await;
    assert_eq!(sent.iter().filter(|sent| sent.is_ok()).count(), 3, "{sent:?}");
    assert!(sent.iter().all(|sent| sent.is_ok() || *sent == Err(Code::SiteLimit)), "{sent:?}");
    bench.execute("UPDATE switch_leases SET expires_at_ms = 0".to_owned()).await;
    let lease = bench.lease("sw-0").await;
    let held_back = async |max| bench.store.pushes().open(&lease, limits(max)).await.expect("an answer").held_back;
    assert_eq!(held_back(3).await.map(|failure| failure.code), Some(Code::SiteLimit));
    assert!(held_back(4).await.is_none());
}
