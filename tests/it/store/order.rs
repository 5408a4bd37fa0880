//! The newest intent wins: by the time of issue, and by the order of arrival where times do not decide (decision 0022).

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use vmacd::domain::{Action, Arrival, Code, Desired, Issued, Status};
use vmacd::store::{Admission, Incoming, Outcome};

use super::bench::{Bench, create, issued, revoke, rotate, take, when};

on_both_engines! {
    a_revoke_that_overtook_its_create_wins,
    an_older_revoke_never_takes_a_newer_create_off,
    a_revoke_wins_a_tie,
    without_times_the_order_of_arrival_counts,
    what_comes_again_is_not_newer_for_it,
    a_group_comes_to_what_its_commands_come_to_one_by_one,
    events_are_told_in_the_order_of_their_commands,
    a_create_in_another_vlan_waits_until_the_revoke_before_it_is_done,
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

async fn without_times_the_order_of_arrival_counts(bench: &Bench) {
    let unsaid = |incoming| when(incoming, Issued::Unsaid);
    for (case, issued) in [Issued::Unsaid, Issued::second(10), Issued::stamped(10_500)].into_iter().enumerate() {
        let ip = |pair: usize| format!("10.79.{case}.{}", pair + 1);
        let bound: Vec<_> = (0..20).map(|pair| create(&format!("{case}-{pair}"), 1, &ip(pair))).collect();
        bench.admit_all(&bound).await;
        bench.settle("sw-a").await;
        let command = |kind: &str, pair: usize| {
            let key = format!("{case}-{pair}-{kind}");
            when(if kind == "revoke" { revoke(&key, 1, &ip(pair)) } else { create(&key, 1, &ip(pair)) }, issued)
        };
        // In one group, and in two.
        let pairs: Vec<_> = (0..10).flat_map(|pair| [command("revoke", pair), command("create", pair)]).collect();
        bench.admit_all(&pairs).await;
        for kind in ["revoke", "create"] {
            bench.admit_all(&(10..20).map(|pair| command(kind, pair)).collect::<Vec<_>>()).await;
        }
        bench.settle("sw-a").await;
        for pair in 0..20 {
            assert_eq!(bench.row(&ip(pair)).await.desired, Desired::Bound, "{issued:?} {pair}");
            let outcome = |kind| format!("{case}-{pair}-{kind}");
            assert_eq!(bench.outcome(&outcome("revoke")).await.map(|o| o.status), Some(Outcome::Superseded));
            assert_eq!(bench.outcome(&outcome("create")).await.map(|o| o.status), Some(Outcome::Active));
        }
        // And the other way round.
        let last = [create(&format!("{case}-again"), 1, &ip(0)), revoke(&format!("{case}-last"), 1, &ip(0))];
        bench.admit_all(&last.map(unsaid)).await;
        bench.settle("sw-a").await;
        assert_eq!(bench.status(&ip(0)).await, Status::Revoked);
    }
}

async fn what_comes_again_is_not_newer_for_it(bench: &Bench) {
    let unsaid = |incoming| when(incoming, Issued::Unsaid);
    bench.admit(unsaid(create("m-1", 1, IP))).await;
    bench.admit(unsaid(revoke("m-2", 1, IP))).await;
    // Delivered again, replayed, and taken in for the first time with the number of an earlier arrival.
    let again = bench.admit(unsaid(create("m-1", 1, IP))).await;
    assert!(is_done(&again, Outcome::Superseded), "{again:?}");
    let replayed = bench.admit(Incoming { replay_number: 1, ..unsaid(create("m-1", 1, IP)) }).await;
    assert!(is_done(&replayed, Outcome::Superseded), "{replayed:?}");
    let arrival = Arrival { number: 1, is_kept: true };
    let kept = bench.admit(Incoming { arrival, ..when(create("m-0", 1, IP), Issued::stamped(1_000)) }).await;
    assert!(is_done(&kept, Outcome::Superseded), "{kept:?}");
    bench.settle("sw-a").await;
    assert_eq!(bench.status(IP).await, Status::Revoked);
}

async fn a_group_comes_to_what_its_commands_come_to_one_by_one(bench: &Bench) {
    let unsaid = |incoming| when(incoming, Issued::Unsaid);
    let commands = |case: usize| {
        let ip = format!("10.78.0.{}", case + 1);
        let key = |number: usize| format!("{case}-{number}");
        // Server 2 gives the address to server 1, which gives it to server 3, gets it back, and asks for another MAC.
        [
            unsaid(create(&key(0), 2, &ip)),
            unsaid(revoke(&key(1), 2, &ip)),
            unsaid(create(&key(2), 1, &ip)),
            unsaid(take(&key(3), 1, 3, &ip)),
            unsaid(take(&key(4), 3, 1, &ip)),
            unsaid(rotate(&key(5), 1, &ip)),
        ]
    };
    let mut ends = Vec::new();
    for (case, cut) in [1, 2, 3, 6].into_iter().enumerate() {
        let commands = commands(case);
        for group in commands.chunks(cut) {
            bench.admit_all(group).await;
        }
        // What waits for the other server's port comes again.
        for switch in ["sw-b", "sw-a", "sw-b", "sw-a"] {
            bench.settle(switch).await;
            bench.admit_all(&commands).await;
        }
        for switch in ["sw-a", "sw-b", "sw-a"] {
            bench.settle(switch).await;
        }
        let row = bench.row(&format!("10.78.0.{}", case + 1)).await;
        ends.push((row.server_id, row.desired, row.status));
    }
    assert_eq!(ends, [(1, Desired::Bound, Status::Active); 4]);
}

async fn events_are_told_in_the_order_of_their_commands(bench: &Bench) {
    let unsaid = |incoming| when(incoming, Issued::Unsaid);
    let keys = ["z-create", "y-revoke", "x-create", "w-revoke", "v-create"];
    let group = keys.map(|key| unsaid(if key.ends_with("create") { create(key, 1, IP) } else { revoke(key, 1, IP) }));
    bench.admit_all(&group).await;
    bench.settle("sw-a").await;
    let events = bench.events().await;
    let told = events.iter().map(|event| {
        let body: serde_json::Value = serde_json::from_str(&event.body).expect("JSON");
        body["message_id"].as_str().expect("an id").to_owned()
    });
    assert_eq!(told.collect::<Vec<_>>(), keys);
}

async fn a_create_in_another_vlan_waits_until_the_revoke_before_it_is_done(bench: &Bench) {
    let in_vlan = |key: &str, vlan: &str| {
        let mut create = when(create(key, 1, IP), Issued::Unsaid);
        create.command.vlan_name = Some(vlan.parse().expect("a name"));
        create
    };
    bench.admit(in_vlan("m-1", "v100")).await;
    bench.settle("sw-a").await;
    let create = in_vlan("m-3", "v200");
    let admissions = bench.admit_all(&[when(revoke("m-2", 1, IP), Issued::Unsaid), create.clone()]).await;
    assert!(
        matches!(&admissions[1], Admission::Waits { failure } if failure.code == Code::AddressReleasing),
        "{admissions:?}"
    );
    bench.settle("sw-a").await;
    bench.admit(create).await;
    bench.settle("sw-a").await;
    let row = bench.row(IP).await;
    assert_eq!((row.status, row.vlan_name.map(|name| name.to_string())), (Status::Active, Some("v200".to_owned())));
}

/// One step of a history: a create or a revoke, when it was issued, whether the first one is delivered once more with it,
/// and whether a push follows.
type Step = (bool, Issued, bool, bool);

fn commands(case: u32, steps: &[Step]) -> Vec<Incoming> {
    let ip = format!("10.77.{}.{}", case / 250, case % 250 + 1);
    steps
        .iter()
        .enumerate()
        .map(|(number, (is_create, issued, ..))| {
            let key = format!("case-{case}-{number}");
            when(if *is_create { create(&key, 1, &ip) } else { revoke(&key, 1, &ip) }, *issued)
        })
        .collect()
}

async fn the_newest_intent_wins_in_every_order_and_grouping(bench: &Bench) {
    let exact = (0..8_i64).prop_map(|ms| Issued::At { ms, nanos: 0 });
    let open = (0..4_i64).prop_map(|from| Issued::Within { from_ms: 2 * from, until_ms: 2 * from + 1 });
    let issued = prop_oneof![3 => exact, 3 => open, 1 => Just(Issued::Unsaid)];
    let step = (any::<bool>(), issued, prop::bool::weighted(0.3), any::<bool>());
    let strategy = (prop::collection::vec(step, 1..8), 1..5_usize);
    let runtime = tokio::runtime::Handle::current();
    let case = std::cell::Cell::new(0);
    let check = |(steps, group_size): (Vec<Step>, usize)| {
        case.set(case.get() + 1);
        runtime.block_on(newest_wins(bench, case.get(), &steps, group_size));
        Ok(())
    };
    // The runner is synchronous: it blocks this thread, which the runtime must know.
    tokio::task::block_in_place(|| {
        let config = Config { cases: 64, failure_persistence: None, ..Config::default() };
        TestRunner::new(config).run(&strategy, check).unwrap_or_else(|error| panic!("{error}"));
    });
}

async fn newest_wins(bench: &Bench, case: u32, steps: &[Step], group_size: usize) {
    let commands = commands(case, steps);
    for (group, steps) in commands.chunks(group_size).zip(steps.chunks(group_size)) {
        let again = steps.iter().any(|(_, _, again, _)| *again).then(|| commands[0].clone());
        bench.admit_all(&group.iter().cloned().chain(again).collect::<Vec<_>>()).await;
        if steps.iter().any(|(_, _, _, push)| *push) {
            bench.settle("sw-a").await;
        }
    }
    bench.settle("sw-a").await;
    let newest = newest(&commands);
    let filter = vmacd::store::VmacFilter { ip: Some(newest.command.ip_address), ..Default::default() };
    let rows = bench.store.vmacs().find(&filter).await.expect("rows");
    let live = rows.iter().filter(|row| row.status != Status::Revoked).count();
    let bound = newest.command.action == Action::Create;
    assert_eq!(live, usize::from(bound), "{steps:?} in groups of {group_size}: {rows:?}");
    assert!(rows.iter().all(|row| row.status == Status::Active || row.status == Status::Revoked), "{rows:?}");
    for incoming in &commands {
        assert!(bench.outcome(&incoming.key.0).await.is_some(), "{} has no outcome: {steps:?}", incoming.key);
    }
}

/// The newest by the rule itself: each command in the order of arrival.
fn newest(commands: &[Incoming]) -> &Incoming {
    let mut last = None;
    let mut newest = None;
    for (number, incoming) in (1..).zip(commands) {
        let arrival = Arrival { number, is_kept: false };
        let position = incoming.issued.position(incoming.command.action, arrival, last, 1_000);
        last = last.max(Some(position));
        newest = newest.max(Some((position, number)));
    }
    let (_, number) = newest.expect("a command");
    &commands[usize::try_from(number - 1).expect("few")]
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
        let (a, b) = tokio::join!(
            bench.store.intake().admit(&groups[0], &mut mine),
            other.intake().admit(&groups[1], &mut theirs)
        );
        a.and(b).expect("taken in");
        if step % 2 == 1 {
            bench.settle("sw-a").await;
        }
    }
    bench.settle("sw-a").await;
    // The newest are the two creates of the fourth millisecond.
    let filter = vmacd::store::VmacFilter { limit: 10_000, ..Default::default() };
    let rows = bench.store.vmacs().find(&filter).await.expect("rows");
    let active = rows.iter().filter(|row| row.status == Status::Active).count();
    assert_eq!(active, orders.len(), "one live row for each address");
    assert!(rows.iter().all(|row| matches!(row.status, Status::Active | Status::Revoked)), "nothing is left waiting");
    let macs: std::collections::HashSet<_> = rows.iter().map(|row| row.mac_address).collect();
    assert_eq!(macs.len(), rows.len());
    for order in 0..orders.len() {
        let keys: Vec<_> = (0..SIX.len()).map(|number| message(order, number).key).collect();
        assert_eq!(bench.store.commands().outcomes(&keys).await.expect("outcomes").len(), SIX.len(), "order {order}");
    }
}
