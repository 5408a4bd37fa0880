//! Nothing that a message holds reaches a log line, an event or a terminal unescaped: a real worker is fed with what
//! drives terminals, forges lines and breaks out of statements, in every place that a producer can write to.

use std::collections::BTreeSet;

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, ShortString};
use serde_json::{Value, json};

use super::events::Events;
use super::world::World;
use crate::support::eventually;
use crate::support::vmacd::run;

const HOSTILE: [&str; 8] = [
    "a\u{1b}[2J\u{1b}]0;owned\u{7}",
    "b\n2026-11-21T10:00:00.000000Z  INFO vmacd: forged",
    "c\r\n{\"timestamp\":\"2026-11-21T10:00:00Z\",\"level\":\"INFO\",\"fields\":{\"message\":\"forged\"}}",
    "d<x/>]]>]]>\"';&amp; delete",
    "e\u{202e}dne\u{2066}\u{feff}",
    "f\u{9b}31m\u{7f}\u{85}",
    "g\0nul",
    "h\u{2028}line",
];

/// One message, and whether it is a command all the same.
struct Case {
    routing_key: String,
    properties: BasicProperties,
    body: Vec<u8>,
    is_command: bool,
}

fn properties(id: &str) -> BasicProperties {
    BasicProperties::default().with_message_id(ShortString::from(id))
}

fn headers(pairs: &[(&str, AMQPValue)]) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in pairs {
        table.insert(ShortString::from(*name), value.clone());
    }
    table
}

fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(value.into())
}

/// Every place that a producer can write to, with each of the texts in it; commands get addresses of their own.
fn cases(world: &World) -> Vec<Case> {
    let mut cases = Vec::new();
    for (index, hostile) in HOSTILE.into_iter().enumerate() {
        // Free text without control characters is free text.
        let is_text = !hostile.chars().any(char::is_control);
        let mut add = |routing_key: &str, properties: BasicProperties, fields: Value, is_command: bool| {
            let number = u32::try_from(cases.len() + 1).expect("few");
            let mut body = json!({"server_id": world.server(0), "ip_address": world.address(0, number)});
            body.as_object_mut().expect("an object").extend(fields.as_object().expect("an object").clone());
            let body = body.to_string().into_bytes();
            cases.push(Case { routing_key: routing_key.to_owned(), properties, body, is_command });
        };
        let id = |kind: &str| properties(&format!("{kind}-{index}"));
        let none = || json!({});
        add("vmac.create", properties(hostile), none(), is_text);
        add("vmac.create", id("corr").with_correlation_id(ShortString::from(hostile)), none(), is_text);
        add("vmac.create", id("ref"), json!({"reference": hostile, "requested_by": hostile}), is_text);
        let key = headers(&[("x-vmacd-key", text(&format!("key {hostile}")))]);
        add("vmac.create", BasicProperties::default().with_headers(key), none(), is_text);
        add("vmac.create", id("trace").with_headers(headers(&[("traceparent", text(hostile))])), none(), true);
        add("vmac.create", id("header").with_headers(headers(&[(hostile, text(hostile))])), none(), true);
        let header = headers(&[(hostile, text(hostile))]);
        add("vmac.create", id("field").with_headers(header), json!({hostile: hostile}), false);
        add(&format!("vmac.{hostile}"), id("route"), none(), false);
        for field in ["ip_address", "vlan_name", "mac_address", "issued_at", "server_id"] {
            add("vmac.create", id(field), json!({field: hostile}), false);
        }
        let body = hostile.as_bytes().to_vec();
        cases.push(Case { routing_key: "vmac.create".to_owned(), properties: id("body"), body, is_command: false });
    }
    cases.extend(oversized(world));
    cases
}

/// What leaves no room in a frame for what vmacd has to say, and numbers that only vmacd writes.
fn oversized(world: &World) -> [Case; 3] {
    let long = "x\n".repeat(15_000);
    // A frame has 131072 bytes.
    let longer = "x\n".repeat(65_200);
    let target = |number| json!({"server_id": world.server(0), "ip_address": world.address(0, number)});
    let mut unknown = target(190);
    unknown[&long] = 1.into();
    let numbers = [
        "x-vmacd-attempt",
        "x-vmacd-first-seen",
        "x-vmacd-replay",
        "x-vmacd-issued-at",
        "x-vmacd-arrival",
        "timestamp_in_ms",
    ];
    let numbers = numbers.map(|name| (name, AMQPValue::LongLongInt(i64::MIN)));
    let case = |properties, body: Value, is_command| {
        let body = body.to_string().into_bytes();
        Case { routing_key: "vmac.create".to_owned(), properties, body, is_command }
    };
    [
        case(properties("long-field"), unknown.clone(), false),
        case(properties("long-header").with_headers(headers(&[("x-long", text(&longer))])), unknown, false),
        case(properties("numbers").with_headers(headers(&numbers)), target(191), true),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_message_forges_a_line_of_the_log() {
    let log = everything_hostile("text", async |world, active, letters| verbs_are_safe(world, active, letters).await);
    for line in log.await.lines() {
        let time = line.split(' ').next().unwrap_or_default();
        assert!(chrono::DateTime::parse_from_rfc3339(time).is_ok(), "a line without its time: {line:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_message_forges_an_object_of_the_json_log() {
    let log = everything_hostile("json", async |_, _, _| ());
    for line in log.await.lines() {
        let entry: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
        assert!(entry["timestamp"].is_string() && entry["fields"]["message"] != "forged", "{line:?}");
    }
}

/// Feeds a worker with all of it, looks at what comes out on every side but the log, and gives that.
async fn everything_hostile(log_format: &str, look: impl AsyncFn(&World, &[Value], &[Value])) -> String {
    let mut world = World::real(1, 1).await;
    world.settings = world.settings.clone().set("VMACD_LOG_FORMAT", log_format).set("VMACD_LOG", "debug");
    let events = Events::bound(&world).await;
    let mut serve = world.serve().await;
    let cases = cases(&world);
    for case in &cases {
        world.publish_with(&case.routing_key, case.properties.clone(), &case.body).await;
    }
    let commands = cases.iter().filter(|case| case.is_command).count();
    let active = world.until("active", commands).await;
    let letters = eventually("the others are dead letters", async || {
        let letters = world.dead_letters().await;
        if letters.len() == cases.len() - commands { Ok(letters) } else { Err(letters.len()) }
    })
    .await;
    assert_eq!(letters.iter().filter(|letter| letter["reason_code"] == "database_trouble").count(), 0);
    world.assert_consistent().await;
    look(&world, &active, &letters).await;
    are_json(&events, commands).await;
    serve.sigterm();
    serve.wait().await;
    assert_safe("the log", &serve.log());
    serve.log()
}

/// What the verbs print of it, as tables and as JSON.
async fn verbs_are_safe(world: &World, active: &[Value], letters: &[Value]) {
    let ids: Vec<String> = letters.iter().map(|letter| letter["id"].to_string()).collect();
    let addresses = active.iter().map(|row| row["ip_address"].as_str().expect("an address"));
    let mut verbs: Vec<Vec<&str>> = vec![vec!["list"], vec!["dead-letters", "list"]];
    verbs.extend(ids.iter().map(|id| vec!["dead-letters", "show", id]));
    verbs.extend(addresses.map(|address| vec!["show", address]));
    for verb in &verbs {
        let table = run(verb, &world.settings).await;
        assert_safe(&verb.join(" "), &(table.stdout + &table.stderr));
    }
    // The lists hold everything, but the history.
    let with_json = verbs[..2].iter().chain(verbs.last());
    for verb in with_json.map(|verb| [&verb[..], &["--json"]].concat()) {
        let json = run(&verb, &world.settings).await;
        assert_safe(&verb.join(" "), &(json.stderr + &json.stdout));
        serde_json::from_str::<Value>(&json.stdout).expect("JSON");
    }
}

/// Asserts that the text holds nothing that a terminal acts upon, or that turns what is read, but line breaks.
fn assert_safe(what: &str, text: &str) {
    let is_hostile = |symbol: &char| {
        (symbol.is_control() && *symbol != '\n')
            || matches!(symbol, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    let line = text.lines().find(|line| line.chars().any(|symbol| is_hostile(&symbol)));
    assert_eq!(line, None, "{what}");
    assert!(!text.is_empty(), "{what} said something");
}

/// Waits for an event of each command, and reads every one.
async fn are_json(events: &Events, commands: usize) {
    let mut active = BTreeSet::new();
    eventually("an event for each command", async || {
        for event in events.take().await {
            let known = ["vmac.active", "vmac.failed", "vmac.revoked", "vmac.superseded"];
            assert!(known.contains(&event.routing_key.as_str()), "{event:?}");
            if event.routing_key == "vmac.active" {
                active.insert(event.body["ip_address"].to_string());
            }
        }
        if active.len() == commands { Ok(()) } else { Err(active.len()) }
    })
    .await;
}
