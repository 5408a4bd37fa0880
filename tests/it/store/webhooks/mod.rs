//! Events, queued for webhooks and handed out in the order of each address.

mod late;
mod order;
mod registry;

use std::time::Duration;

use vmacd::domain::{DeliveryState, WebhookFilter, WebhookForm, WebhookSecret};
use vmacd::store::{ClaimedDelivery, Delivery, DeliveryEnd, DeliveryFilter, NewWebhook, Store, Webhook};

use super::bench::{Bench, LONG, create, inventory, revoke};
use crate::support::eventually;

on_both_engines! {
    without_a_webhook_nothing_is_queued,
    an_event_is_queued_for_each_webhook_that_wants_it,
    a_site_is_known_by_bindings_and_by_the_servers_ports,
    of_an_address_one_is_in_hand_and_the_next_waits_for_it,
    what_fails_holds_its_address_back_and_no_other,
    what_is_given_up_lets_the_next_go_on_and_can_be_replayed,
    what_a_dead_worker_had_in_hand_is_handed_out_again,
    a_paused_webhook_keeps_its_events,
    a_receiver_that_is_gone_disables_its_webhook,
    what_waits_is_due_and_counted,
}

/// The webhook's secret.
pub fn secret() -> WebhookSecret {
    WebhookSecret::of_bytes(&[1; 32])
}

/// A webhook that gets every event.
pub fn webhook(name: &str) -> NewWebhook {
    NewWebhook {
        name: Some(name.parse().expect("a name")),
        url: format!("https://{name}.example.com/events").parse().expect("a URL"),
        form: WebhookForm::Standard,
        filter: WebhookFilter::default(),
    }
}

/// Adds it.
pub async fn add(bench: &Bench, new: &NewWebhook) -> Webhook {
    bench.store.webhooks().add(new, &secret()).await.expect("added")
}

/// An event about an address of server 1.
pub async fn event(bench: &Bench, key: &str, last_octet: u8) {
    bench.admit(revoke(key, 1, &format!("10.0.1.{last_octet}"))).await;
}

/// All deliveries, oldest first.
pub async fn deliveries(bench: &Bench) -> Vec<Delivery> {
    let mut all = bench.store.webhooks().deliveries(&DeliveryFilter::default()).await.expect("deliveries");
    all.reverse();
    all
}

/// Takes deliveries of a webhook in hand.
pub async fn claim(store: &Store, webhook: &Webhook, limit: usize) -> Vec<ClaimedDelivery> {
    let claimed = store.webhooks().claim(webhook.id, limit, LONG).await.expect("an answer");
    claimed.map(|(_, deliveries)| deliveries).unwrap_or_default()
}

/// Notes what came of one.
pub async fn record(store: &Store, delivery: &ClaimedDelivery, end: DeliveryEnd) -> bool {
    store.webhooks().record(delivery, end, "HTTP 500: no").await.expect("an answer")
}

/// The addresses of what is in hand.
fn addresses(claimed: &[ClaimedDelivery]) -> Vec<String> {
    let ip = |delivery: &ClaimedDelivery| {
        let body: serde_json::Value = serde_json::from_str(&delivery.body).expect("JSON");
        body["ip_address"].as_str().expect("an address").to_owned()
    };
    claimed.iter().map(ip).collect()
}

async fn without_a_webhook_nothing_is_queued(bench: &Bench) {
    event(bench, "m-1", 10).await;
    assert_eq!(bench.number("SELECT COUNT(*) FROM webhook_deliveries").await, 0);
    let added = add(bench, &webhook("late")).await;
    assert_eq!(claim(&bench.store, &added, 10).await, [], "what was before is none of its business");
}

async fn an_event_is_queued_for_each_webhook_that_wants_it(bench: &Bench) {
    let filtered = |name: &str, events: &[&str], references: &[&str]| {
        let events = events.iter().map(|text| text.parse().expect("a pattern")).collect();
        let references = references.iter().map(|text| (*text).to_owned()).collect();
        NewWebhook { filter: WebhookFilter { events, references, sites: Vec::new() }, ..webhook(name) }
    };
    for new in [
        filtered("all", &[], &[]),
        filtered("any-word", &["vmac.*"], &[]),
        filtered("revoked", &["vmac.failed", "vmac.revoked"], &[]),
        filtered("failed", &["vmac.failed"], &[]),
        // The `_` of `vmac.in_force` is no wildcard.
        filtered("in-force", &["vmac.in_force"], &[]),
        filtered("order", &[], &["order 77", "ticket"]),
        filtered("tickets", &[], &["ticket", "order 778%"]),
    ] {
        add(bench, &new).await;
    }
    let mut asked = revoke("m-1", 1, "10.0.1.10");
    asked.body = br#"{"reference": "order 7781"}"#.to_vec();
    bench.admit(asked).await;
    event(bench, "m-2", 11).await;
    let found = deliveries(bench).await;
    let of = |ip: &str| {
        let of_ip = found.iter().filter(|delivery| delivery.ip_address.as_deref() == Some(ip));
        let mut names: Vec<&str> = of_ip.map(|delivery| delivery.webhook.as_str()).collect();
        names.sort_unstable();
        names
    };
    assert_eq!(of("10.0.1.10"), ["all", "any-word", "order", "revoked"]);
    assert_eq!(of("10.0.1.11"), ["all", "any-word", "revoked"], "it has no reference");
    assert!(found.iter().all(|delivery| delivery.routing_key.as_deref() == Some("vmac.revoked")), "{found:?}");
}

async fn a_site_is_known_by_bindings_and_by_the_servers_ports(bench: &Bench) {
    let mut placed = inventory();
    placed.switches[0].site = Some("ams1".parse().expect("a name"));
    bench.store.inventory().import(&placed).await.expect("imported");
    let filter = WebhookFilter { sites: vec!["ams1".parse().expect("a name")], ..WebhookFilter::default() };
    add(bench, &NewWebhook { filter, ..webhook("ams") }).await;
    // Nothing is bound: the server's port says where it is. Server 2 is elsewhere, 3 is on both switches.
    for (server, ip) in [(1, "10.0.1.10"), (2, "10.0.2.10"), (3, "10.0.3.10"), (4, "10.0.4.10")] {
        bench.admit(revoke(&format!("m-{server}"), server, ip)).await;
    }
    bench.admit(create("c-1", 1, "10.0.1.20")).await;
    bench.admit(create("c-2", 2, "10.0.2.20")).await;
    bench.settle("sw-a").await;
    bench.settle("sw-b").await;
    let found = deliveries(bench).await;
    let found: Vec<&str> = found.iter().filter_map(|delivery| delivery.ip_address.as_deref()).collect();
    assert_eq!(found, ["10.0.1.10", "10.0.3.10", "10.0.1.20"]);
}

async fn of_an_address_one_is_in_hand_and_the_next_waits_for_it(bench: &Bench) {
    let added = add(bench, &webhook("one")).await;
    for (key, octet) in [("m-1", 10), ("m-2", 11), ("m-3", 10), ("m-4", 12), ("m-5", 10)] {
        event(bench, key, octet).await;
    }
    let other = bench.another().await;
    let mine = claim(&bench.store, &added, 2).await;
    assert_eq!(addresses(&mine), ["10.0.1.10", "10.0.1.11"], "oldest first, and as many as asked for");
    let theirs = claim(&other, &added, 10).await;
    assert_eq!(addresses(&theirs), ["10.0.1.12"]);
    assert_eq!(claim(&other, &added, 10).await, []);
    assert!(record(&bench.store, &mine[0], DeliveryEnd::Delivered).await);
    assert!(!record(&bench.store, &mine[0], DeliveryEnd::Delivered).await, "it is not in hand any more");
    let next = claim(&other, &added, 10).await;
    assert_eq!((addresses(&next), next[0].event_id > mine[0].event_id), (vec!["10.0.1.10".to_owned()], true));
}

async fn what_fails_holds_its_address_back_and_no_other(bench: &Bench) {
    let added = add(bench, &webhook("one")).await;
    for (key, octet) in [("m-1", 10), ("m-2", 10), ("m-3", 11)] {
        event(bench, key, octet).await;
    }
    let claimed = claim(&bench.store, &added, 1).await;
    let later = bench.store.now().await.expect("the time") + Duration::from_secs(60);
    assert!(record(&bench.store, &claimed[0], DeliveryEnd::Again(later)).await);
    assert_eq!(addresses(&claim(&bench.store, &added, 10).await), ["10.0.1.11"]);
    let put_off = deliveries(bench).await;
    assert_eq!(put_off[0].next_at, Some(later), "{put_off:?}");
    assert_eq!((put_off[0].attempts, put_off[0].last_answer.as_deref()), (1, Some("HTTP 500: no")));
    bench.execute("UPDATE webhook_deliveries SET next_at_ms = 0 WHERE attempts = 1".to_owned()).await;
    let again = claim(&bench.store, &added, 10).await;
    assert_eq!((again.len(), again[0].id, again[0].attempts), (1, claimed[0].id, 1));
    assert!(record(&bench.store, &again[0], DeliveryEnd::Delivered).await);
    let next = claim(&bench.store, &added, 10).await;
    assert_eq!(addresses(&next), ["10.0.1.10"], "what waited with it is due at once");
}

async fn what_is_given_up_lets_the_next_go_on_and_can_be_replayed(bench: &Bench) {
    let added = add(bench, &webhook("one")).await;
    for key in ["m-1", "m-2", "m-3"] {
        event(bench, key, 10).await;
    }
    let first = claim(&bench.store, &added, 10).await;
    assert!(record(&bench.store, &first[0], DeliveryEnd::Dead).await);
    let second = claim(&bench.store, &added, 10).await;
    assert!(second[0].event_id > first[0].event_id);
    let wrong = DeliveryFilter { ids: vec![first[0].id, second[0].id], ..DeliveryFilter::default() };
    assert_eq!(bench.store.webhooks().not_dead(&wrong).await.expect("an answer"), Some(second[0].id));
    let dead = DeliveryFilter { webhook: Some(added.id), ..DeliveryFilter::default() };
    let before = bench.store.now().await.expect("the time").timestamp_millis();
    assert_eq!(bench.store.webhooks().replay(&dead).await.expect("replayed"), [first[0].id]);
    assert!(bench.store.webhooks().replay(&dead).await.expect("replayed").is_empty(), "it waits again");
    assert_eq!(claim(&bench.store, &added, 10).await, [], "the address has one in hand");
    assert!(record(&bench.store, &second[0], DeliveryEnd::Delivered).await);
    let replayed = claim(&bench.store, &added, 10).await;
    assert_eq!((replayed[0].id, replayed[0].attempts), (first[0].id, 0), "before what came later");
    assert!(replayed[0].since_ms >= before, "its day begins anew");
}

async fn what_a_dead_worker_had_in_hand_is_handed_out_again(bench: &Bench) {
    let added = add(bench, &webhook("one")).await;
    event(bench, "m-1", 10).await;
    let short = Duration::from_millis(30);
    let (_, lost) = bench.store.webhooks().claim(added.id, 10, short).await.expect("an answer").expect("one");
    let other = bench.another().await;
    let again = eventually("the claim runs out", async || {
        let again = claim(&other, &added, 10).await;
        if again.is_empty() { None } else { Some(again) }
    })
    .await;
    assert_eq!(again[0].id, lost[0].id);
    assert!(!record(&bench.store, &lost[0], DeliveryEnd::Delivered).await, "another has it");
    bench.store.webhooks().release(&lost[0]).await.expect("nothing to give back");
    assert_eq!(claim(&bench.store, &added, 10).await, []);
    other.webhooks().release(&again[0]).await.expect("given back");
    assert_eq!(claim(&bench.store, &added, 10).await[0].attempts, 0, "it was not tried");
}

async fn a_paused_webhook_keeps_its_events(bench: &Bench) {
    let added = add(bench, &webhook("one")).await;
    bench.store.webhooks().pause("one").await.expect("paused");
    event(bench, "m-1", 10).await;
    assert!(!bench.store.work().due().await.expect("an answer").deliveries);
    assert_eq!(
        (claim(&bench.store, &added, 10).await, bench.store.webhooks().due().await.expect("none")),
        (vec![], vec![])
    );
    bench.execute("UPDATE webhook_deliveries SET since_ms = 1, next_at_ms = 9999999999999".to_owned()).await;
    let resumed = bench.store.webhooks().resume("one").await.expect("resumed");
    assert_eq!(resumed.paused_at, None);
    let claimed = claim(&bench.store, &added, 10).await;
    assert!(claimed[0].since_ms > 1, "its day begins anew");
}

async fn a_receiver_that_is_gone_disables_its_webhook(bench: &Bench) {
    let added = add(bench, &webhook("one")).await;
    for octet in [10, 10, 11] {
        event(bench, &format!("m-{octet}-{}", rand::random::<u32>()), octet).await;
    }
    let claimed = claim(&bench.store, &added, 10).await;
    assert!(record(&bench.store, &claimed[0], DeliveryEnd::Gone).await);
    assert!(!record(&bench.store, &claimed[1], DeliveryEnd::Delivered).await, "everything was given up");
    event(bench, "m-9", 12).await;
    let found = deliveries(bench).await;
    assert!(found.len() == 3 && found.iter().all(|delivery| delivery.state == DeliveryState::Dead), "{found:?}");
    let listed = bench.store.webhooks().list().await.expect("webhooks").remove(0);
    assert_eq!((listed.dead, listed.webhook.disabled_reason.is_some()), (3, true));
    assert_eq!(bench.store.webhooks().resume("one").await.expect("resumed").disabled_reason, None);
    bench.store.webhooks().replay(&DeliveryFilter::default()).await.expect("replayed");
    assert_eq!(addresses(&claim(&bench.store, &added, 10).await), ["10.0.1.10", "10.0.1.11"]);
}

async fn what_waits_is_due_and_counted(bench: &Bench) {
    let due = async || {
        let due = bench.store.work().due().await.expect("an answer");
        (due.webhooks, due.deliveries)
    };
    assert_eq!(due().await, (false, false));
    let added = add(bench, &webhook("one")).await;
    assert_eq!(due().await, (true, false));
    event(bench, "m-1", 10).await;
    assert_eq!((due().await, bench.store.webhooks().due().await.expect("due")), ((true, true), vec![added.id]));
    let claimed = claim(&bench.store, &added, 10).await;
    assert_eq!(due().await, (true, false), "it is in hand");
    event(bench, "m-2", 11).await;
    record(&bench.store, &claimed[0], DeliveryEnd::Dead).await;
    bench.execute("UPDATE webhook_deliveries SET since_ms = since_ms - 5000".to_owned()).await;
    let counts = bench.store.statistics().counts().await.expect("counts");
    assert_eq!((counts.deliveries_waiting, counts.deliveries_dead), (1, 1));
    assert!((5_000..65_000).contains(&counts.deliveries_oldest_ms), "{counts:?}");
    let waiting = DeliveryFilter { state: Some(DeliveryState::Waiting), ..DeliveryFilter::default() };
    assert_eq!(bench.store.webhooks().count_deliveries(&waiting).await.expect("a count"), 1);
}
