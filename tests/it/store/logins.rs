//! Logins to the pages: how they end.

use std::time::Duration;

use vmacd::store::{SessionLimits, Store};

use super::bench::{Bench, LONG};
use crate::support::eventually;

on_both_engines! {
    a_login_that_is_used_outlives_one_that_is_not,
    a_login_ends_with_its_age_however_much_it_is_used,
    the_login_that_was_not_used_for_longest_makes_room,
    a_login_that_was_ended_stays_so_for_every_worker,
}

const LIMITS: SessionLimits = SessionLimits { idle: LONG, age_max: LONG, count_max: 3 };

async fn lasts(store: &Store, key: &str, limits: &SessionLimits, is_use: bool) -> bool {
    store.page_sessions().find(key, limits, is_use).await.expect("looked").is_some()
}

async fn a_login_that_is_used_outlives_one_that_is_not(bench: &Bench) {
    let limits = SessionLimits { idle: Duration::from_millis(1_500), ..LIMITS };
    for key in ["used", "unused"] {
        bench.store.page_sessions().open(key, None, &limits).await.expect("begun");
    }
    eventually("the unused one ends", async || {
        assert!(lasts(&bench.store, "used", &limits, true).await);
        !lasts(&bench.store, "unused", &limits, false).await
    })
    .await;
}

async fn a_login_ends_with_its_age_however_much_it_is_used(bench: &Bench) {
    let limits = SessionLimits { age_max: Duration::from_millis(800), ..LIMITS };
    bench.store.page_sessions().open("a", None, &limits).await.expect("begun");
    assert!(lasts(&bench.store, "a", &limits, true).await);
    eventually("it ends", async || !lasts(&bench.store, "a", &limits, true).await).await;
}

async fn the_login_that_was_not_used_for_longest_makes_room(bench: &Bench) {
    for key in ["a", "b", "c", "d", "e"] {
        bench.store.page_sessions().open(key, None, &LIMITS).await.expect("begun");
        // The order is by the clock, which has milliseconds.
        let began = bench.store.now().await.expect("a time");
        eventually("a millisecond passes", async || bench.store.now().await.expect("a time") > began).await;
    }
    let mut left = Vec::new();
    for key in ["a", "b", "c", "d", "e"] {
        if lasts(&bench.store, key, &LIMITS, false).await {
            left.push(key);
        }
    }
    assert_eq!(left, ["c", "d", "e"]);
}

async fn a_login_that_was_ended_stays_so_for_every_worker(bench: &Bench) {
    let other = bench.another().await;
    bench.store.page_sessions().open("a", None, &LIMITS).await.expect("begun");
    assert!(lasts(&other, "a", &LIMITS, true).await);
    other.page_sessions().end("a").await.expect("ended");
    assert!(!lasts(&bench.store, "a", &LIMITS, true).await);
    other.page_sessions().end("a").await.expect("ended again");
}
