//! Events of other systems, and the commands that they mean.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::broker::request;
use crate::config::HookFields;
use crate::domain::Code;

fn hook() -> HookSettings {
    let text = str::to_owned;
    HookSettings {
        action: text("/event"),
        create: vec![text("address.added"), text("7")],
        r#move: vec![text("address.moved")],
        rotate: vec![text("address.rotated")],
        revoke: vec![text("address.removed")],
        fields: HookFields {
            server_id: text("/service/server_id"),
            to_server_id: text("/service/new_id"),
            subnet: text("/address/net"),
            ip_address: text("/address/ip"),
            message_id: text("/id"),
            issued_at: text("/created_at"),
            reference: text("/order"),
            vlan_name: text("/address/vlan~1name"),
        },
        ..HookSettings::default()
    }
}

fn event() -> Value {
    json!({
        "id": 9001, "event": "address.added", "created_at": 1_795_255_200, "order": "7781", "colour": "red",
        "service": {"server_id": "1042"}, "address": {"ip": "10.0.48.6", "vlan/name": "VLAN.13"},
    })
}

fn read(event: &Value) -> Result<Option<MappedCommand>, Failure> {
    map_event("billing", &hook(), json(event.to_string().as_bytes()))
}

fn json(body: &[u8]) -> Delivery<'_> {
    Delivery { body, content_type: "application/json", id: None }
}

fn body(command: &MappedCommand) -> Value {
    serde_json::from_slice(&command.body).expect("JSON")
}

#[test]
fn an_event_becomes_the_command_that_it_means() {
    let command = read(&event()).expect("understood").expect("a command");
    let expected = json!({
        "server_id": 1042, "ip_address": "10.0.48.6", "vlan_name": "VLAN.13", "issued_at": "2026-11-21T10:00:00Z",
        "requested_by": "billing", "reference": "7781",
    });
    assert_eq!((command.action, body(&command)), (Action::Create, expected));
    assert_eq!(command.ids.message_id.as_deref(), Some("billing:9001"));
    assert_eq!(command.ids.correlation_id.as_deref(), Some("9001"));
    assert!(request(command.action, command.body, command.ids).is_ok());
}

#[test]
fn a_revoke_has_no_vlan_and_other_actions_mean_nothing() {
    let mut event = event();
    event["event"] = "address.removed".into();
    let command = read(&event).expect("understood").expect("a command");
    assert_eq!((command.action, body(&command).get("vlan_name")), (Action::Revoke, None));
    assert!(request(command.action, command.body, command.ids).is_ok());
    event["event"] = 7.into();
    assert_eq!(read(&event).expect("understood").expect("a command").action, Action::Create);
    event["event"] = "address.renamed".into();
    assert!(read(&event).expect("understood").is_none());
}

#[test]
fn what_is_missing_or_of_the_wrong_type_is_named_with_its_place() {
    for (pointer, value, expected) in [
        ("/event", json!(null), "action: nothing is at /event"),
        ("/service", json!(null), "server_id: nothing is at /service/server_id"),
        ("/service/server_id", json!("one"), "server_id: `one` at /service/server_id is not a whole number"),
        ("/service/server_id", json!(1.5), "server_id: `1.5` at"),
        ("/address/ip", json!(["10.0.48.6"]), "ip_address: the value at /address/ip is neither"),
        ("/id", json!(""), "message_id: nothing is at /id"),
        ("/order", json!({}), "reference: the value at /order is neither"),
        ("/created_at", json!(true), "issued_at: the value at"),
    ] {
        let mut event = event();
        *event.pointer_mut(pointer).expect("a field") = value;
        let failure = read(&event).expect_err("refused");
        assert_eq!(failure.code, Code::InvalidField);
        assert!(failure.text.starts_with(expected), "{failure}");
    }
    assert_eq!(map_event("billing", &hook(), json(b"{")).expect_err("refused").code, Code::NotJson);
    assert_eq!(map_event("billing", &hook(), json(b"{\xff}")).expect_err("refused").code, Code::NotUtf8);
}

#[test]
fn without_an_id_the_same_bytes_are_the_same_request() {
    let mut hook = hook();
    hook.fields.message_id = String::new();
    let ids = |delivery: &str| {
        map_event("billing", &hook, json(delivery.as_bytes())).expect("understood").expect("a command").ids
    };
    let (first, other) = (event().to_string(), format!("{} ", event()));
    assert_eq!(ids(&first).message_id, ids(&first).message_id);
    assert_ne!(ids(&first).message_id, ids(&other).message_id);
    assert_eq!(ids(&first).correlation_id, None);
}

#[test]
fn a_move_and_a_rotation_are_read() {
    let mut event = event();
    event["event"] = "address.moved".into();
    event["service"]["new_id"] = 1043.into();
    let command = read(&event).expect("understood").expect("a command");
    assert_eq!((command.action, &body(&command)["to_server_id"]), (Action::Move, &json!(1043)));
    assert_eq!(body(&command)["vlan_name"], "VLAN.13");
    assert!(request(command.action, command.body, command.ids).is_ok());
    event["service"]["new_id"] = Value::Null;
    assert_eq!(read(&event).expect_err("refused").text, "to_server_id: nothing is at /service/new_id");
    event["event"] = "address.rotated".into();
    let command = read(&event).expect("understood").expect("a command");
    assert_eq!((command.action, body(&command).get("vlan_name")), (Action::Rotate, None));
    assert!(request(command.action, command.body, command.ids).is_ok());
}

#[test]
fn the_address_of_an_interface_is_one_address_and_a_subnet_has_a_field_of_its_own() {
    let mut event = event();
    for (sent, expected) in
        [("192.0.2.10/31", "192.0.2.10"), ("192.0.2.10/24", "192.0.2.10"), ("2001:db8::6/64", "2001:db8::6")]
    {
        event["address"]["ip"] = sent.into();
        let command = read(&event).expect("understood").expect("a command");
        assert_eq!(body(&command)["ip_address"], expected, "{sent}");
    }
    event["address"]["ip"] = "192.0.2.8/29".into();
    assert_eq!(read(&event).expect_err("refused").code, Code::InvalidAddress);
    event["address"]["ip"] = Value::Null;
    event["address"]["net"] = "192.0.2.8/29".into();
    let command = read(&event).expect("understood").expect("a command");
    assert!(request(command.action, command.body, command.ids).is_ok());
    event["address"]["ip"] = "192.0.2.9".into();
    assert!(read(&event).expect_err("refused").text.starts_with("subnet: the event has `ip_address` too"));
}

#[test]
fn a_delivery_has_its_own_id_where_that_is_signed() {
    let text = event().to_string();
    let delivery = Delivery { id: Some("msg_1"), ..json(text.as_bytes()) };
    let ids = map_event("billing", &hook(), delivery).expect("understood").expect("a command").ids;
    assert_eq!((ids.message_id.as_deref(), ids.correlation_id.as_deref()), (Some("billing:msg_1"), Some("msg_1")));
}

#[test]
fn a_form_means_what_the_same_json_means() {
    let form = "id=9001&event=address.added&created_at=2026-11-21+11%3A00%3A00%2B0100&order=7781&service[server_id]=1042\
                &address[ip]=10.0.48.6&address[vlan/name]=VLAN.13";
    let delivery = Delivery { content_type: "application/x-www-form-urlencoded", ..json(form.as_bytes()) };
    let command = map_event("billing", &hook(), delivery).expect("understood").expect("a command");
    assert_eq!(body(&command), body(&read(&event()).expect("understood").expect("a command")));
}

#[test]
fn a_time_that_cannot_be_read_is_quoted_as_it_was_sent() {
    let refused = |sent: Value| {
        let mut event = event();
        event["created_at"] = sent;
        read(&event).expect_err("refused").text
    };
    assert!(
        refused(json!("2026-11-21 10:00:00")).ends_with("or set `time_zone` of the hook (hooks.billing.time_zone)")
    );
    assert!(
        refused(json!(1_795_255_200_000_000_i64))
            .starts_with("issued_at: `1795255200000000` at /created_at is neither")
    );
    assert!(refused(json!("a\u{1b}b")).starts_with("issued_at: `a\\u001bb` at"));
    let mut none = event();
    none["created_at"] = "0000-00-00 00:00:00".into();
    let command = read(&none).expect("understood").expect("a command");
    assert_eq!(body(&command).get("issued_at"), None);
}

proptest! {
    #[test]
    fn no_delivery_makes_the_mapping_panic(delivery in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = map_event("billing", &hook(), json(&delivery));
    }

    #[test]
    fn whatever_stands_in_the_fields_is_read_or_refused_by_name(text in any::<String>(), field in 0..6_usize) {
        let pointer = ["/id", "/created_at", "/order", "/service/server_id", "/address/ip", "/address/vlan~1name"][field];
        let mut event = event();
        *event.pointer_mut(pointer).expect("a field") = text.into();
        let made = read(&event).and_then(|command| {
            let command = command.expect("a command");
            request(command.action, command.body, command.ids)
        });
        if let Err(failure) = made {
            prop_assert!(failure.text.contains(": "), "{}", failure);
        }
    }
}
