//! Tokens, and the log of who changed what.

use chrono::TimeDelta;
use serde_json::json;
use vmacd::domain::{NewLogEntry, Role, Via};
use vmacd::store::{LogFilter, NewToken, Store, StoreError, TokenSecret};

use super::bench::Bench;

on_both_engines! {
    a_token_is_found_by_its_secret_until_it_is_revoked,
    an_expired_token_is_not_accepted,
    a_rotated_token_has_another_secret_and_keeps_its_name,
    a_name_is_never_given_twice,
    entries_of_many_writers_make_one_chain,
    an_entry_that_was_changed_moved_or_removed_shows,
    entries_are_listed_by_who_and_what_the_newest_first,
}

async fn add(store: &Store, name: &str, expires_in_s: Option<i64>) -> Result<TokenSecret, StoreError> {
    let secret = TokenSecret::generate();
    let expires_at = expires_in_s.map(|seconds| chrono::Utc::now() + TimeDelta::seconds(seconds));
    let name = name.parse().expect("a name");
    let token = NewToken { name, role: Role::Operator, expires_at, created_by: "a test".to_owned() };
    store.tokens().add(&token, &secret).await.map(|_| secret)
}

async fn is_accepted(store: &Store, secret: &TokenSecret) -> bool {
    store.tokens().shown(secret, "10.0.0.9").await.expect("looked").is_some()
}

async fn a_token_is_found_by_its_secret_until_it_is_revoked(bench: &Bench) {
    let secret = add(&bench.store, "ops-1", None).await.expect("made");
    assert!(is_accepted(&bench.store, &secret).await && !is_accepted(&bench.store, &TokenSecret::generate()).await);
    let tokens = bench.store.tokens().list().await.expect("listed");
    assert_eq!(tokens[0].last_used_from.as_deref(), Some("10.0.0.9"));
    assert!(tokens[0].last_used_at.is_some());
    let held = bench.texts("SELECT hash FROM tokens").await;
    assert!(!held[0].contains(&secret.reveal()[6..]), "the database holds no secret");
    bench.store.tokens().revoke(&tokens[0].name).await.expect("revoked");
    let other = bench.another().await;
    assert!(!is_accepted(&other, &secret).await && other.tokens().named("ops-1", "").await.expect("looked").is_none());
    let again = bench.store.tokens().revoke(&tokens[0].name).await;
    assert!(matches!(again, Err(StoreError::NotFound { .. })), "{again:?}");
}

async fn an_expired_token_is_not_accepted(bench: &Bench) {
    let (later, before) = (add(&bench.store, "later", Some(600)).await, add(&bench.store, "before", Some(-600)).await);
    assert!(is_accepted(&bench.store, &later.expect("made")).await);
    assert!(!is_accepted(&bench.store, &before.expect("made")).await);
}

async fn a_rotated_token_has_another_secret_and_keeps_its_name(bench: &Bench) {
    let (before, after) = (add(&bench.store, "billing", None).await.expect("made"), TokenSecret::generate());
    bench.store.tokens().rotate(&"billing".parse().expect("a name"), &after).await.expect("rotated");
    assert!(!is_accepted(&bench.store, &before).await && is_accepted(&bench.store, &after).await);
}

async fn a_name_is_never_given_twice(bench: &Bench) {
    add(&bench.store, "billing", None).await.expect("made");
    assert!(matches!(add(&bench.store, "billing", None).await, Err(StoreError::Refused(_))));
    bench.store.tokens().revoke(&"billing".parse().expect("a name")).await.expect("revoked");
    let again = add(&bench.store, "billing", None).await.expect_err("the log names the first one").to_string();
    assert!(again.contains("there is or was a token billing"), "{again}");
}

fn entry(who: &str, action: &str) -> NewLogEntry {
    NewLogEntry {
        who: who.to_owned(),
        role: "operator".to_owned(),
        via: Via::Api,
        address: Some("10.0.0.9".to_owned()),
        action: action.to_owned(),
        subject: "ams1".to_owned(),
        details: json!({"body": {"reason": "ä \"quoted\"", "ratio": 0.1}}),
    }
}

async fn fault(bench: &Bench) -> Option<String> {
    bench.store.audit_log().check().await.expect("checked").fault
}

async fn entries_of_many_writers_make_one_chain(bench: &Bench) {
    let stores = [bench.store.clone(), bench.another().await];
    let writes = (0..40).map(|number: usize| {
        let store = stores[number % 2].clone();
        tokio::spawn(
            async move { store.audit_log().add(entry("ops-1", &format!("a-{number}"))).await.expect("written") },
        )
    });
    let mut ids = Vec::new();
    for write in writes.collect::<Vec<_>>() {
        ids.push(write.await.expect("ended").id);
    }
    ids.sort_unstable();
    assert_eq!(ids, (1..=40).collect::<Vec<i64>>());
    let checked = bench.store.audit_log().check().await.expect("checked");
    assert_eq!((checked.entries, checked.fault), (40, None));
}

async fn an_entry_that_was_changed_moved_or_removed_shows(bench: &Bench) {
    for number in 1..=5 {
        bench.store.audit_log().add(entry("ops-1", &format!("a-{number}"))).await.expect("written");
    }
    assert_eq!(fault(bench).await, None);
    let changed = |id| Some(format!("entry {id} was changed, or an entry before it was removed or put in"));
    bench.execute("UPDATE audit_log SET who = 'ops-2' WHERE id = 3".to_owned()).await;
    assert_eq!(fault(bench).await, changed(3));
    bench.execute("UPDATE audit_log SET who = 'ops-1' WHERE id = 3".to_owned()).await;
    assert_eq!(fault(bench).await, None, "as it was");
    bench.execute("DELETE FROM audit_log WHERE id = 2".to_owned()).await;
    assert_eq!(fault(bench).await.as_deref(), Some("entries 2 to 2 are missing"));
    for id in 3..=5 {
        bench.execute(format!("UPDATE audit_log SET id = id - 1 WHERE id = {id}")).await;
    }
    assert_eq!(fault(bench).await, changed(2));
    bench.execute("DELETE FROM audit_log WHERE id > 1".to_owned()).await;
    assert_eq!(fault(bench).await.as_deref(), Some("entries 2 to 5 are missing"), "the end, too");
}

async fn entries_are_listed_by_who_and_what_the_newest_first(bench: &Bench) {
    for (who, action) in [("ops-1", "freeze"), ("ops-2", "freeze"), ("ops-1", "thaw"), ("ops-1", "freeze")] {
        bench.store.audit_log().add(entry(who, action)).await.expect("written");
    }
    let list = async |who: Option<&str>, action: Option<&str>, before| {
        let filter = LogFilter { who: who.map(str::to_owned), action: action.map(str::to_owned), before };
        let found = bench.store.audit_log().list(&filter, 10).await.expect("listed");
        found.iter().map(|entry| entry.id).collect::<Vec<_>>()
    };
    assert_eq!(list(None, None, None).await, [4, 3, 2, 1]);
    assert_eq!(list(Some("ops-1"), Some("freeze"), None).await, [4, 1]);
    assert_eq!(list(Some("ops-1"), None, Some(4)).await, [3, 1]);
    let newest = bench.store.audit_log().newest("thaw", "ams1").await.expect("looked").expect("there");
    assert_eq!((newest.id, newest.entry), (3, entry("ops-1", "thaw")));
}
