//! The newest intent wins, whatever the order in which commands come.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use vmacd::domain::{Action, Desired, Status};
use vmacd::store::{Admission, Incoming, Outcome};

use super::bench::{Bench, create, issued, revoke};

on_both_engines! {
    a_revoke_that_overtook_its_create_wins,
    an_older_revoke_never_takes_a_newer_create_off,
    a_revoke_wins_a_tie,
    a_newer_intent_answers_the_commands_that_it_overtook,
    a_create_during_a_revoke_keeps_the_row,
    the_newest_intent_wins_in_every_order_and_grouping,
    the_newest_intent_wins_in_every_permutation_of_six_messages_over_two_workers,
}

const IP: &str = "10.0.1.10";

fn is_done(admission: &Admission, expected: Outcome) -> bool {
    matches!(admission, Admission::Done { outcome } if outcome.status == expected)
}

async fn a_revoke_that_overtook_its_create_wins(bench: &Bench) {
    bench.admit(revoke("m-2", 1, IP)).await;
    let create = bench.admit(create("m-1", 1, IP)).await;
    assert!(is_done(&create, Outcome::Superseded), "{create:?}");
    assert_eq!(bench.rows().await, 0);
}

async fn an_older_revoke_never_takes_a_newer_create_off(bench: &Bench) {
    bench.admit(issued(create("m-2", 1, IP), 5_000)).await;
    let revoke = bench.admit(issued(revoke("m-1", 1, IP), 4_000)).await;
    assert!(is_done(&revoke, Outcome::Superseded), "{revoke:?}");
    assert_eq!(bench.row(IP).await.desired, Desired::Bound);
}

async fn a_revoke_wins_a_tie(bench: &Bench) {
    bench.admit(create("m-1", 1, IP)).await;
    bench.admit(issued(revoke("m-2", 1, IP), 1_000)).await;
    assert_eq!(bench.row(IP).await.desired, Desired::Unbound);
    let late = bench.admit(create("m-3", 1, IP)).await;
    assert!(is_done(&late, Outcome::Superseded), "{late:?}");
}

async fn a_newer_intent_answers_the_commands_that_it_overtook(bench: &Bench) {
    bench.admit(create("m-1", 1, IP)).await;
    bench.admit(revoke("m-2", 1, IP)).await;
    let outcome = bench.outcome("m-1").await.expect("an outcome");
    assert_eq!(outcome.status, Outcome::Superseded);
    assert!(outcome.text.as_deref().is_some_and(|text| text.contains("m-2")), "{outcome:?}");
    let events = bench.events().await;
    assert_eq!(events.iter().map(|event| event.routing_key.as_str()).collect::<Vec<_>>(), ["vmac.superseded"]);
}

async fn a_create_during_a_revoke_keeps_the_row(bench: &Bench) {
    bench.admit(create("m-1", 1, IP)).await;
    bench.settle("sw-a").await;
    let mac = bench.row(IP).await.mac_address;
    bench.admit(revoke("m-2", 1, IP)).await;
    bench.admit(issued(create("m-3", 1, IP), 3_000)).await;
    let row = bench.row(IP).await;
    assert_eq!((row.mac_address, row.desired, row.status), (mac, Desired::Bound, Status::Pending));
    bench.settle("sw-a").await;
    assert_eq!(bench.status(IP).await, Status::Active);
    assert_eq!(bench.rows().await, 1);
}

/// One step of a history: a command of this action, issued then, perhaps with a push behind it.
type Step = (bool, i64, bool);

fn commands(case: u32, steps: &[Step]) -> Vec<Incoming> {
    let ip = format!("10.77.{}.{}", case / 250, case % 250 + 1);
    steps
        .iter()
        .enumerate()
        .map(|(number, (is_create, issued_at_ms, _))| {
            let key = format!("case-{case}-{number}");
            issued(if *is_create { create(&key, 1, &ip) } else { revoke(&key, 1, &ip) }, *issued_at_ms)
        })
        .collect()
}

async fn the_newest_intent_wins_in_every_order_and_grouping(bench: &Bench) {
    let step = (any::<bool>(), 0..6_i64, any::<bool>());
    let history = prop::collection::vec(step, 1..7).prop_shuffle();
    let strategy = (history, 1..4_usize);
    let runtime = tokio::runtime::Handle::current();
    let case = std::cell::Cell::new(0);
    let check = |(steps, group_size): (Vec<Step>, usize)| {
        case.set(case.get() + 1);
        runtime.block_on(newest_wins(bench, case.get(), &steps, group_size));
        Ok(())
    };
    // The runner is synchronous: it blocks this thread, which the runtime must know.
    tokio::task::block_in_place(|| {
        let config = Config { cases: 48, failure_persistence: None, ..Config::default() };
        TestRunner::new(config).run(&strategy, check).unwrap_or_else(|error| panic!("{error}"));
    });
}

async fn newest_wins(bench: &Bench, case: u32, steps: &[Step], group_size: usize) {
    let commands = commands(case, steps);
    for (group, steps) in commands.chunks(group_size).zip(steps.chunks(group_size)) {
        bench.admit_all(group).await;
        if steps.iter().any(|(_, _, push)| *push) {
            bench.settle("sw-a").await;
        }
    }
    bench.settle("sw-a").await;
    let newest = commands
        .iter()
        .max_by_key(|incoming| (incoming.issued_at_ms, incoming.command.action, incoming.key.clone()))
        .expect("a command");
    let filter = vmacd::store::VmacFilter { ip: Some(newest.command.ip_address), ..Default::default() };
    let rows = bench.store.find(&filter).await.expect("rows");
    let live = rows.iter().filter(|row| row.status != Status::Revoked).count();
    let bound = newest.command.action == Action::Create;
    assert_eq!(live, usize::from(bound), "{steps:?} {rows:?}");
    assert!(rows.iter().all(|row| row.status == Status::Active || row.status == Status::Revoked), "{rows:?}");
    for incoming in &commands {
        assert!(bench.outcome(&incoming.key.0).await.is_some(), "{} has no outcome: {steps:?}", incoming.key);
    }
}

/// Six messages for one address: two ties, and an older pair.
const SIX: [(Action, i64); 6] = [
    (Action::Create, 1),
    (Action::Revoke, 2),
    (Action::Create, 3),
    (Action::Revoke, 3),
    (Action::Create, 4),
    (Action::Create, 4),
];

/// Every order of the numbers from 0 to 5.
fn permutations() -> Vec<Vec<usize>> {
    let longer = |shorter: Vec<usize>| {
        let next = shorter.len();
        (0..=next).map(move |at| [&shorter[..at], &[next], &shorter[at..]].concat())
    };
    (0..SIX.len()).fold(vec![Vec::new()], |orders, _| orders.into_iter().flat_map(longer).collect())
}

fn message(order: usize, number: usize) -> Incoming {
    let ip = format!("10.90.{}.{}", order / 250, order % 250 + 1);
    let (action, issued_at_ms) = SIX[number];
    let key = format!("order-{order}-{number}");
    issued(if action == Action::Create { create(&key, 1, &ip) } else { revoke(&key, 1, &ip) }, issued_at_ms)
}

/// Each order has an address of its own, so that all go through together: one step of every order is one group for
/// each of the two workers, the message before it once more among them.
async fn the_newest_intent_wins_in_every_permutation_of_six_messages_over_two_workers(bench: &Bench) {
    let (other, orders) = (bench.another().await, permutations());
    assert_eq!(orders.len(), 720);
    for step in 0..SIX.len() {
        let mut groups = [Vec::new(), Vec::new()];
        for (number, order) in orders.iter().enumerate() {
            let worker = (number + step) % 2;
            groups[worker].push(message(number, order[step]));
            groups[1 - worker].extend((step > 0 && number % 3 == 0).then(|| message(number, order[step - 1])));
        }
        let (mut mine, mut theirs) = (super::bench::rng(), super::bench::rng());
        let (a, b) = tokio::join!(bench.store.admit(&groups[0], &mut mine), other.admit(&groups[1], &mut theirs));
        a.and(b).expect("taken in");
        if step % 2 == 1 {
            bench.settle("sw-a").await;
        }
    }
    bench.settle("sw-a").await;
    // The newest are the two creates of the fourth millisecond.
    let filter = vmacd::store::VmacFilter { limit: 10_000, ..Default::default() };
    let rows = bench.store.find(&filter).await.expect("rows");
    let active = rows.iter().filter(|row| row.status == Status::Active).count();
    assert_eq!(active, orders.len(), "one live row for each address");
    assert!(rows.iter().all(|row| matches!(row.status, Status::Active | Status::Revoked)), "nothing is left waiting");
    let macs: std::collections::HashSet<_> = rows.iter().map(|row| row.mac_address).collect();
    assert_eq!(macs.len(), rows.len());
    for order in 0..orders.len() {
        let keys: Vec<_> = (0..SIX.len()).map(|number| message(order, number).key).collect();
        assert_eq!(bench.store.outcomes(&keys).await.expect("outcomes").len(), SIX.len(), "order {order}");
    }
}
