//! The schemas of the bodies and the reader, held against one another.

use std::net::Ipv4Addr;

use chrono::{DateTime, SecondsFormat};
use jsonschema::Validator;
use proptest::option;
use proptest::prelude::*;
use schemars::SchemaGenerator;
use serde_json::{Value, json};

use super::body::root_schema;
use super::message::Message;
use super::parse::parse_command;
use super::subnet::expand_subnet;
use crate::domain::{Action, Failure, Mac};

/// Whether the schema of the command accepts the body; false for what is no JSON or no command, which has no schema.
pub(super) fn is_valid(routing_key: &str, body: &[u8]) -> bool {
    let action = Action::ALL.into_iter().find(|action| action.routing_key() == routing_key);
    let value = serde_json::from_slice::<Value>(body).ok();
    action.zip(value).is_some_and(|(action, value)| validator(action).is_valid(&value))
}

fn validator(action: Action) -> Validator {
    let schema = root_schema(action, SchemaGenerator::default());
    jsonschema::options().should_validate_formats(true).build(schema.as_value()).expect("a schema")
}

/// What does not belong there.
fn anything() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<String>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        Just(Value::Null),
        Just(json!([])),
    ]
}

/// Mostly what a field should hold, sometimes what looks like it, seldom anything.
fn mostly(good: impl Strategy<Value = String>, alike: &'static str) -> impl Strategy<Value = Value> {
    prop_oneof![12 => good.prop_map(Value::from), 2 => alike.prop_map(Value::from), 1 => anything()]
}

fn times() -> impl Strategy<Value = Value> {
    let good = (-1_000_000_000_000..4_000_000_000_000_i64).prop_map(|ms| {
        DateTime::from_timestamp_millis(ms).expect("a time").to_rfc3339_opts(SecondsFormat::AutoSi, true)
    });
    mostly(
        good,
        "(19[67]|20[0-9])[0-9]-[01][0-9]-[0-3][0-9][Tt ][0-2][0-9]:[0-5][0-9]:[0-6]0(\\.[0-9]{1,12})?([Zz]|[+-][0-2][0-9]:[0-6][0-9])",
    )
}

fn macs() -> impl Strategy<Value = Value> {
    let good = any::<[u8; 6]>().prop_map(|mut octets| {
        octets[0] = octets[0] & 0xfc | 0x02;
        Mac::new(octets).to_string()
    });
    mostly(good, "[0-9a-fA-F]{2}([:-][0-9a-fA-F]{2}){5}|[0-9a-f]{12}|[0-9a-f]{4}(\\.[0-9a-f]{4}){2}")
}

fn subnets() -> impl Strategy<Value = String> {
    let small = (any::<u32>(), 26_u32..=32).prop_map(|(bits, length)| {
        let net = bits & u32::MAX.checked_shl(32 - length).unwrap_or(0);
        format!("{}/{length}", Ipv4Addr::from(net))
    });
    prop_oneof![6 => small, 1 => "[0-9a-f]{4}(:[0-9a-f]{1,4}){6}::/12[0-8]"]
}

/// Bodies that are nearly right.
fn bodies() -> impl Strategy<Value = Value> {
    let fields = (
        prop_oneof![12 => (1..=i64::MAX).prop_map(Value::from), 1 => anything()],
        mostly(any::<u32>().prop_map(|bits| Ipv4Addr::from(bits).to_string()), "[0-9]{1,3}(\\.[0-9]{1,3}){3}"),
        option::weighted(0.2, mostly("[A-Za-z0-9][A-Za-z0-9._-]{0,20}".prop_map(String::from), ".{0,4}")),
        option::weighted(0.2, macs()),
        option::weighted(0.4, times()),
        option::weighted(0.4, mostly(".{0,20}".prop_map(String::from), "[a-z]{199,202}")),
        option::weighted(0.05, anything()),
        option::weighted(0.1, mostly("[A-Za-z0-9][A-Za-z0-9._-]{0,20}".prop_map(String::from), ".{0,4}")),
        option::weighted(0.3, prop_oneof![12 => (1..=i64::MAX).prop_map(Value::from), 1 => anything()]),
        option::weighted(0.2, mostly(subnets(), "[0-9]{1,3}(\\.[0-9]{1,3}){3}(/[0-9]{1,2})?")),
    );
    fields.prop_map(
        |(server_id, ip_address, vlan_name, mac_address, issued_at, reference, colour, group, to, subnet)| {
            // Mostly one of the two.
            let ip_address = if subnet.is_some() && reference.is_none() { None } else { Some(ip_address) };
            let required = [("server_id", Some(server_id)), ("ip_address", ip_address), ("subnet", subnet)];
            let optional = [("vlan_name", vlan_name), ("mac_address", mac_address), ("issued_at", issued_at)];
            let others = [("reference", reference), ("colour", colour), ("group", group), ("to_server_id", to)];
            let all = required.into_iter().chain(optional).chain(others);
            all.filter_map(|(name, value)| Some((name.to_owned(), value?))).collect::<serde_json::Map<_, _>>().into()
        },
    )
}

proptest! {
    #[test]
    fn a_schema_accepts_what_is_read(body in bodies(), action in prop::sample::select(Action::ALL.to_vec())) {
        let accepted = validator(action).is_valid(&body);
        let (routing_key, bytes) = (action.routing_key().to_owned(), body.to_string().into_bytes());
        match read(&Message { routing_key, body: bytes, ..Message::default() }) {
            Ok(()) => prop_assert!(accepted || is_kindness(&body), "read and not accepted: {}", body),
            Err(failure) => prop_assert!(!accepted || is_inexpressible(&failure), "{}: {}", failure, body),
        }
    }
}

/// As the worker reads it.
fn read(message: &Message) -> Result<(), Failure> {
    match expand_subnet(message)? {
        Some(_) => Ok(()),
        None => parse_command(message).map(|_| ()),
    }
}

/// Where the reader takes more than the schema says: blanks around a MAC, no time at all, and in a time a blank, a second
/// 60, and 1969 on the clock of a place.
fn is_kindness(body: &Value) -> bool {
    let text = |field: &str| body[field].as_str().unwrap_or_default();
    let (mac, time) = (text("mac_address"), text("issued_at"));
    mac != mac.trim() || body["issued_at"] == "" || time.contains(' ') || time.contains(":60") || time.starts_with("19")
}

/// What no schema can say: a time of the right shape may be none, or lie before 1970 by its offset; a whole number
/// that is written with a fraction is one to a schema; a move goes elsewhere; VRRP's MACs are for groups alone; a subnet
/// has no bits behind its prefix, one MAC cannot be bound to all of it, and some of its addresses cannot be bound at all.
fn is_inexpressible(failure: &Failure) -> bool {
    let unsaid = [
        "floating point",
        "is where the address is",
        "is not locally administered",
        "is an address within a subnet",
        "one MAC cannot be bound",
        "is not a unicast address",
    ];
    failure.text.starts_with("issued_at: ") || unsaid.iter().any(|text| failure.text.contains(text))
}

#[test]
fn most_of_the_bodies_that_are_tried_are_right() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let tried = (0..200).map(|_| bodies().new_tree(&mut runner).expect("a body").current());
    let right = tried.filter(|body| validator(Action::Create).is_valid(body)).count();
    assert!((40..190).contains(&right), "{right} of 200");
}
