//! Webhooks themselves: their names, their secrets, and their end.

use chrono::TimeDelta;
use vmacd::domain::{WebhookFilter, WebhookSecret};
use vmacd::store::{DeliveryEnd, Event, NewWebhook, RetentionWindows, StoreError};

use super::super::bench::Bench;
use super::{add, claim, deliveries, event, record, secret, webhook};

on_both_engines! {
    a_webhook_is_found_by_its_name_and_its_number,
    a_name_is_taken_once_and_hosts_are_numbered,
    a_filter_that_lets_nothing_through_is_refused,
    the_secret_before_signs_too_for_a_day,
    a_removed_webhook_takes_its_deliveries_along,
    events_are_written_while_webhooks_come_and_go,
    old_deliveries_go_and_keep_their_events_until_then,
}

async fn a_webhook_is_found_by_its_name_and_its_number(bench: &Bench) {
    let added = add(bench, &webhook("one")).await;
    let number = added.id.to_string();
    for name in ["one", &number] {
        assert_eq!(bench.store.webhooks().get(name).await.expect("a webhook"), added);
    }
    let unknown = bench.store.webhooks().get("two\u{1b}").await.expect_err("none").to_string();
    assert_eq!(unknown, "there is no webhook two\\u001b");
}

async fn a_name_is_taken_once_and_hosts_are_numbered(bench: &Bench) {
    add(bench, &webhook("one")).await;
    let refused = bench.store.webhooks().add(&webhook("one"), &secret()).await.expect_err("taken");
    assert!(matches!(&refused, StoreError::Refused(failure) if failure.text.contains("`one` already")), "{refused}");
    let unnamed = NewWebhook { name: None, ..webhook("two") };
    let names = [add(bench, &unnamed).await.name, add(bench, &unnamed).await.name];
    assert_eq!(names.map(String::from), ["two.example.com", "two.example.com-2"]);
    let by_address = NewWebhook { url: "http://[2001:db8::1]/".parse().expect("a URL"), ..unnamed };
    assert_eq!(add(bench, &by_address).await.name.as_str(), "2001db81");
}

async fn a_filter_that_lets_nothing_through_is_refused(bench: &Bench) {
    let filter = |event: &str, reference: &str| WebhookFilter {
        events: vec![event.parse().expect("a pattern")],
        references: vec![reference.to_owned()],
        sites: Vec::new(),
    };
    for (event, reference, expected) in
        [("active", "order", "no event is called `active`; there are "), ("vmac.*", "", "reference: `` does not have")]
    {
        let new = NewWebhook { filter: filter(event, reference), ..webhook("one") };
        let refused = bench.store.webhooks().add(&new, &secret()).await.expect_err("refused").to_string();
        assert!(refused.contains(expected), "{refused}");
    }
}

async fn the_secret_before_signs_too_for_a_day(bench: &Bench) {
    let added = add(bench, &webhook("one")).await;
    assert_eq!((added.previous_until, &added.secret), (None, &secret()));
    let newer = WebhookSecret::of_bytes(&[2; 32]);
    let rotated = bench.store.webhooks().rotate("one", &newer).await.expect("rotated");
    let now = bench.store.now().await.expect("the time");
    assert_eq!(rotated.secrets(now), [&newer, &secret()]);
    assert_eq!(rotated.secrets(now + TimeDelta::hours(25)), [&newer]);
    let until = rotated.previous_until.expect("a day") - now;
    assert!((until - TimeDelta::hours(24)).abs() < TimeDelta::minutes(5), "{until}");
}

async fn a_removed_webhook_takes_its_deliveries_along(bench: &Bench) {
    let added = add(bench, &webhook("one")).await;
    event(bench, "m-1", 10).await;
    let claimed = claim(&bench.store, &added, 10).await;
    bench.store.webhooks().remove("one").await.expect("removed");
    assert!(!record(&bench.store, &claimed[0], DeliveryEnd::Delivered).await);
    assert_eq!(bench.number("SELECT COUNT(*) FROM webhook_deliveries").await, 0);
    assert!(bench.store.webhooks().remove("one").await.is_err());
    event(bench, "m-2", 10).await;
    assert_eq!(deliveries(bench).await, []);
}

async fn events_are_written_while_webhooks_come_and_go(bench: &Bench) {
    let other = bench.another().await;
    let changing = async {
        for _ in 0..20 {
            other.webhooks().add(&webhook("one"), &secret()).await.expect("added");
            other.webhooks().remove("one").await.expect("removed");
        }
    };
    let writing = async {
        for number in 0..40 {
            event(bench, &format!("m-{number}"), 10 + number).await;
        }
    };
    tokio::join!(changing, writing);
    assert_eq!(bench.events().await.len(), 40, "none failed");
}

async fn old_deliveries_go_and_keep_their_events_until_then(bench: &Bench) {
    let added = add(bench, &webhook("one")).await;
    for (key, octet) in [("m-1", 10), ("m-2", 11), ("m-3", 12)] {
        event(bench, key, octet).await;
    }
    let claimed = claim(&bench.store, &added, 10).await;
    record(&bench.store, &claimed[0], DeliveryEnd::Delivered).await;
    record(&bench.store, &claimed[1], DeliveryEnd::Dead).await;
    let events = bench.events().await;
    let claims: Vec<_> = events.iter().map(Event::claim).collect();
    bench.store.events().mark_published(&claims).await.expect("published");
    let old = bench.store.now().await.expect("the time") - TimeDelta::days(50);
    let time = old.format("%Y-%m-%dT%H:%M:%S+00:00");
    for statement in [
        format!("UPDATE events SET created_at = '{time}'"),
        format!(
            "UPDATE webhook_deliveries SET created_at = '{time}', ended_at = CASE WHEN ended_at IS NULL THEN NULL ELSE CAST('{time}' AS {}) END",
            if bench.is_sqlite() { "TEXT" } else { "TIMESTAMPTZ" }
        ),
    ] {
        bench.execute(statement).await;
    }
    let days = |days: u64| Some(std::time::Duration::from_secs(days * 24 * 3_600));
    let retained = async |events_days, dead_days| {
        let windows = RetentionWindows {
            events: days(events_days),
            dead_letters: days(dead_days),
            ..RetentionWindows::default()
        };
        bench.execute("DELETE FROM retention".to_owned()).await;
        while bench.store.retention().next_batch(&windows).await.expect("a batch").table.is_some() {}
        let states: Vec<String> = deliveries(bench).await.iter().map(|delivery| delivery.state.to_string()).collect();
        (states.join(" "), bench.number("SELECT COUNT(*) FROM events").await)
    };
    assert_eq!(retained(60, 90).await, ("delivered dead waiting".to_owned(), 3));
    assert_eq!(retained(40, 90).await, ("dead waiting".to_owned(), 2), "events of what is dead or waits stay");
    assert_eq!(retained(40, 45).await, ("waiting".to_owned(), 1));
    assert_eq!(claim(&bench.store, &added, 10).await, [], "it is still in hand");
}
