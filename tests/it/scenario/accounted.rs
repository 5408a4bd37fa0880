//! Every message that is acknowledged is a command, or a dead letter that waits: messages of all kinds, under few ids and
//! under none, are accounted for one by one.

use std::collections::HashMap;
use std::time::Duration;

use lapin::BasicProperties;
use serde_json::{Value, json};
use vmacd::broker::{Broker, BrokerSettings, Message};
use vmacd::domain::MessageKey;
use vmacd::store::{DeadLetterFilter, FullDeadLetter, Outcome, Store, StoreOptions, VmacFilter};

use super::events::Events;
use super::world::World;
use crate::broker::bench::target;
use crate::support::eventually;
use crate::support::vmacd::run;

/// Ids that all kinds of messages share; the last ones are none.
const IDS: [Option<&str>; 5] = [Some("order-1"), Some("order-2"), Some("order-3"), Some(""), None];

/// What is published, and what it comes to.
#[derive(Clone)]
struct Sent {
    message: Message,
    is_good: bool,
}

/// How exactly letters count their copies: a worker that is killed may send one twice.
#[derive(Clone, Copy)]
enum Count {
    Exact,
    AtLeast,
}

/// The id, routing key and body of a message or letter.
type Told = (Option<String>, String, Vec<u8>);

fn told(message: &Message) -> Told {
    let id = message.message_id.clone().filter(|id| !id.is_empty());
    (id, message.routing_key.clone(), message.body.clone())
}

fn told_by(letter: &FullDeadLetter) -> Told {
    (letter.row.message_id.clone(), letter.row.routing_key.clone(), letter.body.clone())
}

/// The database and the broker of a world, as another process sees them.
struct Books {
    store: Store,
    broker: Broker,
}

impl Books {
    async fn of(world: &World) -> Self {
        let url = world.settings.get("VMACD_DATABASE_URL").expect("a database");
        let store = Store::connect(url, StoreOptions::default()).await.expect("a database");
        let amqp = world.settings.get("VMACD_AMQP_URL").map(target);
        let settings = BrokerSettings {
            amqp,
            namespace: world.namespace.clone(),
            rpc_timeout: Duration::from_secs(10),
            former_delays: (Duration::from_millis(100), Duration::from_millis(400)),
            archive_age: Duration::ZERO,
        };
        let broker = Broker::connect(settings, &store).await.expect("a broker");
        Self { store, broker }
    }

    async fn publish(&self, sent: &[Sent]) {
        let messages: Vec<_> = sent.iter().map(|sent| sent.message.clone()).collect();
        self.broker.publish_commands(&messages).await.expect("published");
    }

    async fn letters(&self) -> Vec<FullDeadLetter> {
        let rows = self.store.dead_letters().list(&DeadLetterFilter::default()).await.expect("dead letters");
        let mut letters = Vec::new();
        for row in rows {
            letters.push(self.store.dead_letters().get(row.id).await.expect("kept"));
        }
        letters
    }

    /// What is not where it belongs, or not only there: a bad message is one letter that waits, which counts its copies; a
    /// good one is a command that is done, or, where another with its id was quicker, a letter too.
    async fn missing(&self, sent: &[Sent], how: Count) -> Result<(), String> {
        let letters = self.letters().await;
        let mut expected: HashMap<Told, (i64, bool)> = HashMap::new();
        for sent in sent {
            expected.entry(told(&sent.message)).or_insert((0, sent.is_good)).0 += 1;
        }
        for (told, (count, is_good)) in &expected {
            let own: Vec<i64> =
                letters.iter().filter(|l| told_by(l) == *told).map(|letter| letter.row.copies).collect();
            let is_letter = match (own.as_slice(), how) {
                ([copies], Count::Exact) => copies == count,
                ([copies], Count::AtLeast) => copies >= count,
                _ => false,
            };
            let done = if *is_good { self.done(told).await } else { Err("bad".to_owned()) };
            let is_right = match how {
                Count::Exact => is_letter != *is_good && done.is_ok() == *is_good,
                Count::AtLeast => is_letter != done.is_ok(),
            };
            if !is_right {
                return Err(format!("{count} x {told:?}: letters of {own:?} copies, {done:?}"));
            }
        }
        match letters.iter().find(|letter| !expected.contains_key(&told_by(letter))) {
            Some(stray) => Err(format!("nobody sent {stray:?}")),
            None => Ok(()),
        }
    }

    async fn done(&self, (id, routing_key, body): &Told) -> Result<(), String> {
        let Some(id) = id else { return self.is_bound(body).await };
        let record = self.store.commands().get(&MessageKey(id.clone())).await.map_err(|error| error.to_string())?;
        let sent = Message { routing_key: routing_key.clone(), body: body.clone(), ..Message::default() };
        let is_own = record.body_hash == sent.content_hash();
        match record.outcome {
            Some(outcome) if outcome.status == Outcome::Active && is_own => Ok(()),
            outcome => Err(format!("{outcome:?}, its own: {is_own}")),
        }
    }

    /// A message without an id is found by its address.
    async fn is_bound(&self, body: &[u8]) -> Result<(), String> {
        let body: Value = serde_json::from_slice(body).expect("JSON");
        let ip = body["ip_address"].as_str().expect("an address").parse().expect("an address");
        let filter = VmacFilter { ip: Some(ip), ..VmacFilter::default() };
        let rows = self.store.vmacs().find(&filter).await.expect("rows");
        if rows.len() == 1 { Ok(()) } else { Err(format!("{} rows of {ip}", rows.len())) }
    }
}

/// Messages of all kinds under each id, of which the first good one is the id's command.
fn mixed(world: &World) -> Vec<Sent> {
    let mut sent = Vec::new();
    let mut add = |id: Option<&str>, routing_key: &str, body: String, is_good| {
        let (message_id, routing_key, body) = (id.map(str::to_owned), routing_key.to_owned(), body.into_bytes());
        sent.push(Sent { message: Message { message_id, routing_key, body, ..Message::default() }, is_good });
    };
    for (index, id) in IDS.into_iter().enumerate() {
        let number = |n: u32| 10 * u32::try_from(index).expect("few") + n;
        let no_id = id.is_none_or(str::is_empty);
        for n in 1..=3 {
            add(id, "vmac.create", format!("{{ broken {index} {n}"), false);
        }
        add(id, "vmac.create", world.body(0, number(1)).to_string(), true);
        // With an id it is another body under it; without one a command of its own.
        add(id, "vmac.create", world.body(0, number(2)).to_string(), no_id);
        add(id, "vmac.dance", world.body(0, number(3)).to_string(), false);
        add(
            id,
            "vmac.create",
            json!({"server_id": 999_999, "ip_address": world.address(0, number(4))}).to_string(),
            false,
        );
        add(id, "vmac.create", json!({"server_id": 1, "subnet": "10.9.9.9/29"}).to_string(), false);
        // The same message twice.
        add(id, "vmac.create", format!("{{ broken {index} 1"), false);
        add(id, "vmac.create", format!("{{ broken {index} 1"), false);
    }
    sent
}

async fn every_message_is_accounted_for(world: World) {
    let books = Books::of(&world).await;
    let serve = world.serve().await;
    let sent = mixed(&world);
    books.publish(&sent).await;
    eventually("every message is a command or a letter", async || books.missing(&sent, Count::Exact).await).await;
    // What was discarded takes no later message.
    let bad: Vec<Sent> = sent.iter().filter(|sent| !sent.is_good).cloned().collect();
    world.vmacd(&["dead-letters", "discard", "--all", "--yes"]).await;
    assert!(world.dead_letters().await.is_empty());
    books.publish(&bad).await;
    eventually("those that came again are letters again", async || books.missing(&sent, Count::Exact).await).await;
    // Nor does what was replayed: each replay fails as a message of its own.
    let letters = books.letters().await;
    world.vmacd(&["dead-letters", "replay", "--all"]).await;
    let replays_wait = async || {
        let again = books.letters().await;
        let all_replays = again.iter().all(|letter| letter.row.replay_number == 1);
        if again.len() == letters.len() && all_replays { Ok(()) } else { Err(again.len()) }
    };
    eventually("every replay is a letter", replays_wait).await;
    drop(serve);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_message_under_a_few_ids_is_a_command_or_a_waiting_letter_with_rabbitmq() {
    every_message_is_accounted_for(World::real(1, 2).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_message_under_a_few_ids_is_a_command_or_a_waiting_letter_with_the_embedded_queue() {
    every_message_is_accounted_for(World::embedded(1, 2).await).await;
}

/// Kills workers while they work, and counts afterwards.
async fn nothing_is_lost_or_doubled_by_kills(world: World) {
    let books = Books::of(&world).await;
    let mut sent = mixed(&world);
    for round in 0..6 {
        let more = mixed(&world).into_iter().filter(|sent| !sent.is_good).map(|mut sent| {
            sent.message.body.extend(format!(" in round {round}").into_bytes());
            sent
        });
        sent.extend(more);
    }
    let mut serve = world.serve().await;
    for some in sent.chunks(sent.len() / 4 + 1) {
        books.publish(some).await;
        let before = books.letters().await.len();
        eventually("it is in the middle of its work", async || books.letters().await.len() > before).await;
        serve.kill9();
        serve = world.serve().await;
    }
    eventually("every message is a command or one letter", async || books.missing(&sent, Count::AtLeast).await).await;
    drop(serve);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_workers_lose_and_double_no_dead_letter_with_rabbitmq() {
    nothing_is_lost_or_doubled_by_kills(World::real(1, 2).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_workers_lose_and_double_no_dead_letter_with_the_embedded_queue() {
    // A claim of the killed one has to run out.
    nothing_is_lost_or_doubled_by_kills(World::embedded(1, 2).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_is_answered_about_itself_with_its_dead_letter() {
    let world = World::real(1, 1).await;
    let events = Events::bound(&world).await;
    let _serve = world.serve().await;
    let refused = json!({"server_id": 999_999, "ip_address": world.address(0, 1)}).to_string();
    world.publish("vmac.create", Some("order-1"), refused.as_bytes()).await;
    eventually("it is refused", async || world.dead_letters().await.len() == 1).await;
    let corrected = world.body(0, 2);
    world.publish("vmac.create", Some("order-1"), corrected.to_string().as_bytes()).await;
    world.publish("vmac.create", Some("order-2"), b"{ broken").await;
    let letters = eventually("all are dead letters", async || {
        let letters = world.dead_letters().await;
        if letters.len() == 3 { Ok(letters) } else { Err(letters) }
    })
    .await;
    let letter_of =
        |code: &str| letters.iter().find(|letter| letter["reason_code"] == code).expect("a letter")["id"].clone();
    let mut failed: HashMap<String, Value> = HashMap::new();
    eventually("all are answered", async || {
        let taken = events.take().await.into_iter().filter(|event| event.routing_key == "vmac.failed");
        failed
            .extend(taken.map(|event| (event.body["reason"]["code"].as_str().expect("a code").to_owned(), event.body)));
        if failed.len() == 3 { Ok(()) } else { Err(failed.clone()) }
    })
    .await;
    let reused = &failed["message_id_reused"];
    assert_eq!((&reused["server_id"], &reused["ip_address"]), (&corrected["server_id"], &corrected["ip_address"]));
    assert_eq!((&reused["message_id"], &reused["correlation_id"]), (&json!("order-1"), &json!("corr-1")));
    assert_eq!(reused["dead_letter_id"], letter_of("message_id_reused"));
    let broken = &failed["not_json"];
    assert_eq!((&broken["message_id"], &broken["server_id"]), (&json!("order-2"), &Value::Null));
    assert_eq!(broken["dead_letter_id"], letter_of("not_json"));
    assert_eq!(failed["unknown_server"]["server_id"], 999_999);
    assert!(failed.values().all(|event| event["action"] == "create"), "{failed:?}");
}

/// Bodies and routing keys that are not commands, each with its code.
fn not_commands(world: &World) -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let about = |fields: Value| {
        let mut body = world.body(0, 1);
        body.as_object_mut().expect("an object").extend(fields.as_object().expect("an object").clone());
        body.to_string().into_bytes()
    };
    vec![
        ("vmac.create", Vec::new(), "not_json"),
        ("vmac.create", b"{ broken".to_vec(), "not_json"),
        ("vmac.create", b"{\xff}".to_vec(), "not_utf8"),
        ("vmac.create", b"[]".to_vec(), "invalid_field"),
        ("vmac.create", vec![b'x'; 70_000], "too_large"),
        ("vmac.create", about(json!({"colour": "red"})), "invalid_field"),
        ("vmac.create", about(json!({"subnet": "10.0.0.16/28"})), "invalid_field"),
        ("vmac.create", about(json!({"ip_address": "10.0.0.16/28"})), "invalid_address"),
        ("vmac.create", about(json!({"ip_address": null, "subnet": "10.0.0.17/28"})), "invalid_address"),
        ("vmac.revoke", about(json!({"vlan_name": "VLAN.13"})), "invalid_field"),
        ("vmac.dance", about(json!({})), "unknown_command"),
        ("create", about(json!({})), "unknown_command"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_gives_an_id_is_answered_however_broken_the_message_is() {
    let world = World::real(1, 1).await;
    let events = Events::bound(&world).await;
    let _serve = world.serve().await;
    let mut expected = Vec::new();
    for (index, (routing_key, body, code)) in not_commands(&world).into_iter().enumerate() {
        let (id, other) = (format!("m-{index}"), format!("c-{index}"));
        let properties = BasicProperties::default();
        let by_id = properties.clone().with_message_id(id.as_str().into());
        let by_correlation = properties.clone().with_message_id("".into()).with_correlation_id(other.as_str().into());
        for properties in [by_id, by_correlation, properties] {
            world.publish_with(routing_key, properties, &body).await;
        }
        expected.push((json!(id), Value::Null, code.to_owned()));
        expected.push((Value::Null, json!(other), code.to_owned()));
    }
    let mut answers = Vec::new();
    eventually("all are answered", async || {
        let failed = events.take().await.into_iter().filter(|event| event.routing_key == "vmac.failed");
        answers.extend(failed.map(|event| event.body));
        if answers.len() >= expected.len() { Ok(()) } else { Err(answers.len()) }
    })
    .await;
    let letters = eventually("all are kept", async || {
        let letters = world.dead_letters().await;
        if letters.len() == expected.len() / 2 * 3 { Ok(letters) } else { Err(letters.len()) }
    })
    .await;
    for (id, other, code) in &expected {
        let mut own = answers.iter().filter(|body| (&body["message_id"], &body["correlation_id"]) == (id, other));
        let (Some(answer), None) = (own.next(), own.next()) else { panic!("{id} {other}: {answers:?}") };
        assert_eq!((&answer["reason"]["code"], &answer["status"]), (&json!(code), &json!("failed")), "{answer}");
        assert_eq!(answer["action"].is_null(), code == "unknown_command", "{answer}");
        let letter = letters.iter().find(|letter| letter["id"] == answer["dead_letter_id"]).expect("its letter");
        assert_eq!((&letter["reason_code"], &letter["message_id"]), (&json!(code), id), "{letter}");
    }
    assert_eq!(answers.len(), expected.len(), "nobody can tell what is answered without an id");
}

#[tokio::test]
async fn an_id_that_was_used_before_is_not_reported_with_the_first_outcome() {
    let world = World::embedded(1, 1).await;
    let _serve = world.serve().await;
    let server = world.server(0).to_string();
    let create = async |ip: String, vlan: &str| {
        let which = if ip.contains('/') { "--subnet" } else { "--ip" };
        let arguments = ["create", "--server", &server, which, &ip, "--vlan", vlan, "--message-id", "m", "--wait"];
        run(&arguments, &world.settings).await
    };
    for (first, other) in [(world.address(0, 1), world.address(0, 2)), (net(&world), net(&world))] {
        assert_eq!(create(first, "VLAN.13").await.code, Some(0));
        let reused = create(other, "VLAN.14").await;
        assert_eq!(reused.code, Some(1), "{reused:?}");
        let told = format!("{}{}", reused.stdout, reused.stderr);
        assert!(told.contains("used before for another request"), "{reused:?}");
    }
}

/// A small subnet of the first server.
fn net(world: &World) -> String {
    format!("{}/29", world.address(0, 15))
}
