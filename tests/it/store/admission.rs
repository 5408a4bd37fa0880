//! Taking commands in.

use serde_json::Value;
use vmacd::domain::{Code, Desired, Status};
use vmacd::store::{Admission, Event, Outcome};

use super::bench::{Bench, create, issued, revoke, switch};

on_both_engines! {
    a_create_makes_a_row_that_waits_for_its_switches,
    a_group_is_answered_in_its_order,
    the_same_message_is_one_row_and_one_answer,
    the_same_key_with_another_body_is_refused,
    another_body_under_a_known_key_answers_and_changes_nothing,
    a_replay_is_decided_whatever_else_its_group_holds_under_its_key,
    what_cannot_be_done_is_refused_and_leaves_no_row,
    a_command_for_nothing_that_is_known_leaves_no_intent,
    a_refused_command_of_a_known_server_leaves_no_intent_however_often_it_comes,
    a_refused_command_is_answered_the_same_again,
    a_replay_of_a_refused_command_is_decided_anew,
    a_refused_revoke_outranks_an_older_create_all_the_same,
    a_revoke_of_nothing_is_done_at_once,
    a_second_create_joins_the_row,
    a_create_that_wants_something_else_is_refused,
    two_workers_that_take_the_same_message_make_one_row,
    a_large_group_is_taken_in_at_once,
}

const IP: &str = "10.0.1.10";

fn code_of(admission: &Admission) -> Option<Code> {
    match admission {
        Admission::Refused { failure } | Admission::Waits { failure } => Some(failure.code),
        Admission::Work { .. } | Admission::Done { .. } => None,
    }
}

async fn a_create_makes_a_row_that_waits_for_its_switches(bench: &Bench) {
    let admission = bench.admit(create("m-1", 3, "10.0.3.10")).await;
    let row = bench.row("10.0.3.10").await;
    assert_eq!(admission, Admission::Work { vmac_id: row.id, switches: vec![switch("sw-a"), switch("sw-b")] });
    assert_eq!((row.status, row.desired, row.generation), (Status::Pending, Desired::Bound, 1));
    assert!(row.mac_address.to_string().starts_with("02:"), "{}", row.mac_address);
    assert!(row.switch_bindings.iter().all(|binding| binding.mac == row.mac_address));
    assert_eq!(bench.work("sw-a").await.len(), 1);
    assert_eq!(bench.work("sw-b").await.len(), 1);
    assert!(bench.outcome("m-1").await.is_none(), "it has no outcome before a push");
}

async fn a_group_is_answered_in_its_order(bench: &Bench) {
    let group =
        [create("m-1", 1, IP), create("m-2", 9, "10.0.9.1"), revoke("m-3", 2, "10.0.2.9"), create("m-1", 1, IP)];
    let answers = bench.admit_all(&group).await;
    assert!(matches!(answers[0], Admission::Work { .. }), "{answers:?}");
    assert_eq!(code_of(&answers[1]), Some(Code::UnknownServer));
    assert!(matches!(&answers[2], Admission::Done { outcome } if outcome.status == Outcome::Revoked), "{answers:?}");
    assert_eq!(answers[3], answers[0], "the same message twice in a group");
    assert_eq!(bench.rows().await, 1);
}

async fn the_same_message_is_one_row_and_one_answer(bench: &Bench) {
    let first = bench.admit(create("m-1", 1, IP)).await;
    assert_eq!(bench.admit(create("m-1", 1, IP)).await, first, "while it waits");
    bench.settle("sw-a").await;
    let known = bench.row(IP).await;
    for _ in 0..3 {
        let again = bench.admit(create("m-1", 1, IP)).await;
        let Admission::Done { outcome } = again else { panic!("{again:?}") };
        assert_eq!((outcome.status, outcome.vmac_id), (Outcome::Active, Some(known.id)));
    }
    assert_eq!(bench.row(IP).await, known);
    assert!(bench.work("sw-a").await.is_empty());
    // One event for the outcome, and one for each time it was asked for again.
    let events = bench.events().await;
    assert_eq!(events.len(), 4);
    let mac_of = |event: &Event| serde_json::from_str::<Value>(&event.body).expect("JSON")["mac_address"].clone();
    assert!(events.iter().all(|event| mac_of(event) == known.mac_address.to_string()), "{events:?}");
}

async fn the_same_key_with_another_body_is_refused(bench: &Bench) {
    bench.admit(create("m-1", 1, IP)).await;
    let other = bench.admit(create("m-1", 1, "10.0.1.11")).await;
    assert_eq!(code_of(&other), Some(Code::MessageIdReused));
    assert_eq!(bench.rows().await, 1, "the first stands");
}

async fn a_command_for_nothing_that_is_known_leaves_no_intent(bench: &Bench) {
    let intents = async || bench.number("SELECT COUNT(*) FROM intents").await;
    let unknown = |number: i64| create(&format!("u-{number}"), 100 + number, &format!("10.9.0.{number}"));
    for number in 1..20 {
        // It comes again, too.
        for _ in 0..2 {
            assert_eq!(code_of(&bench.admit(unknown(number)).await), Some(Code::UnknownServer));
        }
    }
    assert_eq!(intents().await, 0);
    let group = [unknown(20), create("m-1", 1, IP), unknown(21), revoke("m-2", 1, IP), create("m-3", 9, IP)];
    bench.admit_all(&group).await;
    assert_eq!(intents().await, 1, "that of the server that there is");
    assert_eq!(bench.row(IP).await.desired, Desired::Unbound);
    assert_eq!(code_of(&bench.admit(create("m-1", 1, "10.0.1.11")).await), Some(Code::MessageIdReused));
    assert_eq!(intents().await, 1, "nothing of a message under another one's id");
}

async fn a_refused_command_of_a_known_server_leaves_no_intent_however_often_it_comes(bench: &Bench) {
    let intents = async || bench.number("SELECT COUNT(*) FROM intents").await;
    bench.admit(create("m-0", 1, IP)).await;
    for number in 1..20 {
        // Under another id each time.
        for _ in 0..2 {
            assert_eq!(code_of(&bench.admit(create(&format!("c-{number}"), 2, IP)).await), Some(Code::AddressTaken));
        }
    }
    assert_eq!(intents().await, 1, "that of the address that there is");
    // What is refused keeps nothing from being done, and the order holds all the same.
    bench.admit(issued(revoke("m-1", 1, IP), 3_000)).await;
    bench.settle("sw-a").await;
    bench.admit(issued(create("m-2", 2, IP), 4_000)).await;
    assert_eq!(intents().await, 2);
    let late = bench.admit(issued(revoke("m-3", 2, IP), 3_500)).await;
    assert!(matches!(&late, Admission::Done { outcome } if outcome.status == Outcome::Superseded), "{late:?}");
}

async fn another_body_under_a_known_key_answers_and_changes_nothing(bench: &Bench) {
    let refused = create("m-1", 9, IP);
    let group = [refused.clone(), create("m-1", 1, IP), refused.clone()];
    let answers: Vec<_> = bench.admit_all(&group).await.iter().map(code_of).collect();
    let (unknown, reused) = (Some(Code::UnknownServer), Some(Code::MessageIdReused));
    assert_eq!(answers, [unknown, reused, unknown]);
    assert_eq!(bench.events().await.len(), 2, "each is answered, the copy with the first");
    // Whichever of them comes first later on.
    for group in [[create("m-1", 1, IP), refused.clone()], [refused.clone(), create("m-1", 2, IP)]] {
        let answers: Vec<_> = bench.admit_all(&group).await.iter().map(code_of).collect();
        assert!(answers.contains(&unknown) && answers.contains(&reused), "{answers:?}");
        let events = bench.events().await;
        let told = |code: &str| events.iter().filter(|event| event.body.contains(code)).count();
        assert_eq!((told("unknown_server"), told("message_id_reused")), (1, 1), "{events:?}");
    }
    bench.admit(create("m-1", 1, IP)).await;
    let events = bench.events().await;
    assert!(events.len() == 1 && events[0].body.contains("message_id_reused"), "{events:?}");
    assert_eq!(bench.rows().await, 0);
    // Nor does it keep a newer command from overtaking the open one that has the key.
    bench.admit(create("m-2", 1, IP)).await;
    bench.admit_all(&[create("m-2", 1, "10.0.1.11"), issued(revoke("m-3", 1, IP), 9_000)]).await;
    assert_eq!(bench.outcome("m-2").await.map(|outcome| outcome.status), Some(Outcome::Superseded));
}

async fn a_replay_is_decided_whatever_else_its_group_holds_under_its_key(bench: &Bench) {
    let taken = "10.0.2.10";
    bench.admit(create("m-0", 2, taken)).await;
    let message = create("m-1", 1, taken);
    assert_eq!(code_of(&bench.admit(message.clone()).await), Some(Code::AddressTaken));
    bench.admit(revoke("m-2", 2, taken)).await;
    bench.settle("sw-b").await;
    let replay = vmacd::store::Incoming { replay_number: 1, ..message.clone() };
    let answers = bench.admit_all(&[create("m-1", 1, IP), message, replay]).await;
    assert_eq!(code_of(&answers[0]), Some(Code::MessageIdReused));
    assert!(matches!(answers[1..], [Admission::Work { .. }, Admission::Work { .. }]), "{answers:?}");
}

async fn what_cannot_be_done_is_refused_and_leaves_no_row(bench: &Bench) {
    let far = chrono::Utc::now().timestamp_millis() + 301_000;
    let table = [
        (create("m-1", 9, IP), Code::UnknownServer),
        (create("m-2", 4, IP), Code::ServerWithoutPort),
        (create("m-3", 1, "10.0.1.1"), Code::PrimaryAddress),
        (create("m-4", 1, "10.0.2.1"), Code::PrimaryAddress),
        (issued(create("m-5", 1, IP), far), Code::IssuedInFuture),
    ];
    for (incoming, expected) in table {
        let key = incoming.key.0.clone();
        let body = br#"{"requested_by": "billing", "reference": "order 7781"}"#.to_vec();
        let incoming = vmacd::store::Incoming { body, ..incoming };
        assert_eq!(code_of(&bench.admit(incoming).await), Some(expected));
        assert_eq!(bench.outcome(&key).await.and_then(|outcome| outcome.code), Some(expected));
    }
    assert_eq!(bench.rows().await, 0);
    let events = bench.events().await;
    assert_eq!(events.len(), 5);
    for event in &events {
        let body: serde_json::Value = serde_json::from_str(&event.body).expect("JSON");
        assert_eq!((&body["requested_by"], &body["reference"]), (&"billing".into(), &"order 7781".into()), "{body}");
    }
    assert!(events.iter().all(|event| event.routing_key == "vmac.failed"), "{events:?}");
}

async fn a_refused_command_is_answered_the_same_again(bench: &Bench) {
    let first = bench.admit(create("m-1", 9, IP)).await;
    assert_eq!(bench.admit(create("m-1", 9, IP)).await, first);
}

async fn a_replay_of_a_refused_command_is_decided_anew(bench: &Bench) {
    let mut message = create("m-1", 1, "10.0.2.10");
    bench.admit(create("m-0", 2, "10.0.2.10")).await;
    assert_eq!(code_of(&bench.admit(message.clone()).await), Some(Code::AddressTaken));
    bench.admit(revoke("m-2", 2, "10.0.2.10")).await;
    message.replay_number = 1;
    assert_eq!(code_of(&bench.admit(message.clone()).await), Some(Code::AddressReleasing));
    bench.settle("sw-b").await;
    assert!(matches!(bench.admit(message.clone()).await, Admission::Work { .. }));
    bench.settle("sw-a").await;
    assert_eq!(bench.status("10.0.2.10").await, Status::Active);
    assert_eq!(bench.outcome("m-1").await.map(|outcome| outcome.status), Some(Outcome::Active));
}

async fn a_refused_revoke_outranks_an_older_create_all_the_same(bench: &Bench) {
    let ip = "10.0.2.10";
    bench.admit(create("m-0", 2, ip)).await;
    bench.settle("sw-b").await;
    assert_eq!(code_of(&bench.admit(issued(revoke("m-1", 1, ip), 2_000)).await), Some(Code::AddressTaken));
    bench.admit(issued(revoke("m-2", 2, ip), 3_000)).await;
    bench.settle("sw-b").await;
    let late = bench.admit(issued(create("m-3", 1, ip), 1_500)).await;
    assert!(matches!(&late, Admission::Done { outcome } if outcome.status == Outcome::Superseded), "{late:?}");
}

async fn a_revoke_of_nothing_is_done_at_once(bench: &Bench) {
    let answer = bench.admit(revoke("m-1", 1, IP)).await;
    assert!(matches!(&answer, Admission::Done { outcome } if outcome.status == Outcome::Revoked), "{answer:?}");
    assert_eq!(bench.events().await[0].routing_key, "vmac.revoked");
}

async fn a_second_create_joins_the_row(bench: &Bench) {
    let first = bench.admit(create("m-1", 1, IP)).await;
    assert_eq!(bench.admit(issued(create("m-2", 1, IP), 5_000)).await, first);
    let finished = bench.settle("sw-a").await.finished;
    assert_eq!(finished.len(), 2, "one push answers both: {finished:?}");
    assert_eq!(bench.row(IP).await.generation, 1);
}

async fn a_create_that_wants_something_else_is_refused(bench: &Bench) {
    let mut named = create("m-1", 1, IP);
    named.command.vlan_name = Some("v100".parse().expect("a name"));
    bench.admit(named).await;
    let mut other_vlan = create("m-2", 1, IP);
    other_vlan.command.vlan_name = Some("v200".parse().expect("a name"));
    let mut other_mac = create("m-3", 1, IP);
    other_mac.command.mac_address = Some("02:11:22:33:44:55".parse().expect("a MAC"));
    for incoming in [other_vlan, other_mac] {
        assert_eq!(code_of(&bench.admit(incoming).await), Some(Code::BoundDifferently));
    }
    assert_eq!(bench.settle("sw-a").await.finished.len(), 1, "the first goes on");
}

async fn two_workers_that_take_the_same_message_make_one_row(bench: &Bench) {
    let other = bench.another().await;
    for round in 0..20 {
        let ip = format!("10.0.1.{}", 100 + round);
        let message = [create(&format!("m-{round}"), 1, &ip)];
        let (mut mine, mut theirs) = (super::bench::rng(), super::bench::rng());
        let (first, second) =
            tokio::join!(bench.store.intake().admit(&message, &mut mine), other.intake().admit(&message, &mut theirs));
        assert_eq!(first.expect("taken in"), second.expect("taken in"));
    }
    assert_eq!(bench.rows().await, 20);
    assert_eq!(bench.work("sw-a").await.len(), 20);
}

async fn a_large_group_is_taken_in_at_once(bench: &Bench) {
    let group: Vec<_> =
        (0..1_000).map(|n| create(&format!("m-{n}"), 1, &format!("10.1.{}.{}", n / 250, n % 250 + 1))).collect();
    let answers = bench.admit_all(&group).await;
    assert!(answers.iter().all(|answer| matches!(answer, Admission::Work { .. })));
    assert_eq!(bench.settle("sw-a").await.finished.len(), 1_000);
    assert_eq!(bench.events().await.len(), 1_000);
}
