//! Whatever workers do and in whatever order, an address has one delivery in hand, and they go in their order.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use vmacd::store::{ClaimedDelivery, DeliveryEnd, Store};

use super::super::bench::Bench;
use super::{add, addresses, claim, event, record, webhook};

on_both_engines! {
    whatever_workers_do_an_address_has_one_delivery_in_hand_and_they_go_in_order,
    two_workers_at_once_never_have_the_same_address_in_hand,
}

const STEPS: usize = 150;

/// What the workers have in hand, and what was delivered, by address.
#[derive(Default)]
struct Seen {
    in_hand: Vec<(usize, ClaimedDelivery)>,
    delivered: BTreeMap<String, Vec<i64>>,
}

impl Seen {
    fn claimed(&mut self, worker: usize, claimed: Vec<ClaimedDelivery>) {
        self.in_hand.extend(claimed.into_iter().map(|delivery| (worker, delivery)));
        let in_hand: Vec<ClaimedDelivery> = self.in_hand.iter().map(|(_, delivery)| delivery.clone()).collect();
        let addresses = addresses(&in_hand);
        let distinct: BTreeSet<&String> = addresses.iter().collect();
        assert_eq!(distinct.len(), addresses.len(), "two of one address are in hand: {addresses:?}");
    }

    fn delivered(&mut self, delivery: &ClaimedDelivery) {
        let ip = addresses(std::slice::from_ref(delivery)).remove(0);
        self.delivered.entry(ip).or_default().push(delivery.event_id);
    }
}

async fn whatever_workers_do_an_address_has_one_delivery_in_hand_and_they_go_in_order(bench: &Bench) {
    let seed: u64 = rand::random();
    eprintln!("seed {seed}");
    let (mut rng, mut seen, added) = (StdRng::seed_from_u64(seed), Seen::default(), add(bench, &webhook("one")).await);
    let workers = [bench.store.clone(), bench.another().await];
    let mut written = 0_usize;
    for step in 0..STEPS {
        let worker = rng.random_range(0..2_usize);
        match rng.random_range(0..6) {
            0 | 1 => {
                event(bench, &format!("m-{step}"), 10 + rng.random_range(0..4)).await;
                written += 1;
            }
            2 | 3 => seen.claimed(worker, claim(&workers[worker], &added, rng.random_range(1..4)).await),
            _ => finish(&mut seen, &workers, &mut rng).await,
        }
    }
    while written > seen.delivered.values().map(Vec::len).sum::<usize>() {
        bench.execute("UPDATE webhook_deliveries SET next_at_ms = 0".to_owned()).await;
        seen.claimed(0, claim(&workers[0], &added, 10).await);
        finish(&mut seen, &workers, &mut rng).await;
    }
    for (ip, events) in seen.delivered {
        assert!(events.is_sorted_by(|one, next| one < next), "{ip}: {events:?}");
    }
}

/// One delivery in hand comes to some end.
async fn finish(seen: &mut Seen, workers: &[Store; 2], rng: &mut StdRng) {
    if seen.in_hand.is_empty() {
        return;
    }
    let (worker, delivery) = seen.in_hand.swap_remove(rng.random_range(0..seen.in_hand.len()));
    match rng.random_range(0..4) {
        0 => {
            let now = workers[worker].now().await.expect("the time");
            assert!(record(&workers[worker], &delivery, DeliveryEnd::Again(now)).await);
        }
        1 => workers[worker].webhooks().release(&delivery).await.expect("given back"),
        _ => {
            assert!(record(&workers[worker], &delivery, DeliveryEnd::Delivered).await);
            seen.delivered(&delivery);
        }
    }
}

async fn two_workers_at_once_never_have_the_same_address_in_hand(bench: &Bench) {
    let added = add(bench, &webhook("one")).await;
    let other = bench.another().await;
    for number in 0..60 {
        event(bench, &format!("m-{number}"), 10 + number % 5).await;
    }
    let mut delivered: HashMap<String, Vec<i64>> = HashMap::new();
    while delivered.values().map(Vec::len).sum::<usize>() < 60 {
        let (mine, theirs) = tokio::join!(claim(&bench.store, &added, 3), claim(&other, &added, 3));
        let all: Vec<ClaimedDelivery> = mine.into_iter().chain(theirs).collect();
        let distinct: BTreeSet<String> = addresses(&all).into_iter().collect();
        assert_eq!(distinct.len(), all.len(), "{all:?}");
        end_all(&bench.store, &all, &mut delivered).await;
    }
    assert!(delivered.values().all(|events| events.is_sorted()), "{delivered:?}");
}

async fn end_all(store: &Store, all: &[ClaimedDelivery], delivered: &mut HashMap<String, Vec<i64>>) {
    for delivery in all {
        assert!(record(store, delivery, DeliveryEnd::Delivered).await);
        let ip = addresses(std::slice::from_ref(delivery)).remove(0);
        delivered.entry(ip).or_default().push(delivery.event_id);
    }
}
