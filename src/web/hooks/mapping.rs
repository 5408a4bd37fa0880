//! From another system's event to a command, by the pointers of the settings. Pure.

use chrono::{DateTime, SecondsFormat};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::broker::RequestIds;
use crate::config::HookSettings;
use crate::domain::{Action, Code, Failure, Issued};

/// What a delivery asks for, as a producer would have put it.
#[derive(Debug)]
pub(super) struct Asked {
    pub action: Action,
    pub body: Vec<u8>,
    pub ids: RequestIds,
}

/// What a delivery asks for; nothing where the settings give its action no meaning. The form of what is asked is not
/// judged here: that is done as for every producer.
///
/// # Errors
/// A permanent [`Failure`] that names the field and where it was looked for.
pub(super) fn asked(name: &str, hook: &HookSettings, delivery: &[u8]) -> Result<Option<Asked>, Failure> {
    let event = Event(parsed(delivery)?);
    let happened = event.needed("action", &hook.action)?;
    let Some(action) = meaning(hook, &happened) else { return Ok(None) };
    let ids = ids(name, hook, &event, delivery)?;
    let body = Value::Object(body(name, action, hook, &event)?).to_string().into_bytes();
    Ok(Some(Asked { action, body, ids }))
}

fn parsed(delivery: &[u8]) -> Result<Value, Failure> {
    let text = std::str::from_utf8(delivery).map_err(|error| {
        Failure::new(Code::NotUtf8, format!("the body is not UTF-8 from byte {} on", error.valid_up_to()))
    })?;
    serde_json::from_str(text).map_err(|error| Failure::new(Code::NotJson, error.to_string()))
}

fn meaning(hook: &HookSettings, happened: &str) -> Option<Action> {
    let means = |values: &[String]| values.iter().any(|value| value == happened);
    match () {
        () if means(&hook.create) => Some(Action::Create),
        () if means(&hook.revoke) => Some(Action::Revoke),
        () => None,
    }
}

/// The idempotency key begins with the hook's name: two systems may count alike. Without an id the delivery's hash is
/// one, so that the same bytes again are the same request.
fn ids(name: &str, hook: &HookSettings, event: &Event, delivery: &[u8]) -> Result<RequestIds, Failure> {
    let pointer = &hook.fields.message_id;
    let id = if pointer.is_empty() { None } else { Some(event.needed("message_id", pointer)?) };
    let key = id.clone().unwrap_or_else(|| hex::encode(Sha256::digest(delivery)));
    Ok(RequestIds { message_id: Some(format!("{name}:{key}")), correlation_id: id, traceparent: None })
}

fn body(name: &str, action: Action, hook: &HookSettings, event: &Event) -> Result<Map<String, Value>, Failure> {
    let fields = &hook.fields;
    let issued_at = event.text("issued_at", &fields.issued_at)?.filter(|time| time != "0");
    let issued_at = issued_at.map(|time| from_unix_time(&time).unwrap_or(time));
    let vlan_name = match action {
        Action::Create => event.text("vlan_name", &fields.vlan_name)?,
        Action::Rotate | Action::Move | Action::Revoke => None,
    };
    let optional = [
        ("issued_at", issued_at),
        ("vlan_name", vlan_name),
        ("reference", event.text("reference", &fields.reference)?),
    ];
    let mut body = Map::from_iter([
        ("server_id".to_owned(), event.server_id(&fields.server_id)?.into()),
        ("ip_address".to_owned(), event.needed("ip_address", &fields.ip_address)?.into()),
        ("requested_by".to_owned(), name.into()),
    ]);
    body.extend(optional.into_iter().filter_map(|(field, value)| Some((field.to_owned(), Value::from(value?)))));
    Ok(body)
}

/// The other system's event.
struct Event(Value);

impl Event {
    /// The text or number at a pointer (RFC 6901); nothing where there is no pointer, or nothing, null or an empty text.
    fn text(&self, field: &str, pointer: &str) -> Result<Option<String>, Failure> {
        let found = if pointer.is_empty() { None } else { self.0.pointer(pointer) };
        match found {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone()).filter(|text| !text.is_empty())),
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(Value::Bool(_) | Value::Array(_) | Value::Object(_)) => {
                Err(invalid(field, format!("what stands at {pointer} is neither a text nor a number")))
            }
        }
    }

    fn needed(&self, field: &str, pointer: &str) -> Result<String, Failure> {
        self.text(field, pointer)?.ok_or_else(|| invalid(field, format!("nothing stands at {pointer}")))
    }

    fn server_id(&self, pointer: &str) -> Result<i64, Failure> {
        let text = self.needed("server_id", pointer)?;
        text.parse().map_err(|_| invalid("server_id", format!("`{text}` at {pointer} is no whole number")))
    }
}

/// A time given as a number, as RFC 3339: seconds since 1970 with or without a fraction, or milliseconds where it is above
/// 10^11. What has no fraction gets none: only its second is known then.
fn from_unix_time(text: &str) -> Option<String> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_digits(whole) || !is_digits(fraction) {
        return None;
    }
    let whole: i64 = whole.parse().ok()?;
    let (time, format) = match Issued::of_number(whole) {
        Some(Issued::At { ms, .. }) => (DateTime::from_timestamp_millis(ms)?, SecondsFormat::Millis),
        _ => {
            let nanos = format!("{fraction:0<9}")[..9].parse().ok()?;
            let format = match fraction.len() {
                0 => SecondsFormat::Secs,
                1..=3 => SecondsFormat::Millis,
                _ => SecondsFormat::Nanos,
            };
            (DateTime::from_timestamp(whole, nanos)?, format)
        }
    };
    Some(time.to_rfc3339_opts(format, true))
}

fn invalid(field: &str, problem: String) -> Failure {
    Failure::new(Code::InvalidField, format!("{field}: {problem}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::broker::request;
    use crate::config::HookFields;

    fn hook() -> HookSettings {
        let text = str::to_owned;
        HookSettings {
            action: text("/event"),
            create: vec![text("address.added"), text("7")],
            revoke: vec![text("address.removed")],
            fields: HookFields {
                server_id: text("/service/server_id"),
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

    fn read(event: &Value) -> Result<Option<Asked>, Failure> {
        asked("billing", &hook(), event.to_string().as_bytes())
    }

    fn body(asked: &Asked) -> Value {
        serde_json::from_slice(&asked.body).expect("JSON")
    }

    #[test]
    fn an_event_becomes_the_command_that_it_means() {
        let asked = read(&event()).expect("understood").expect("a command");
        let expected = json!({
            "server_id": 1042, "ip_address": "10.0.48.6", "vlan_name": "VLAN.13", "issued_at": "2026-11-21T10:00:00Z",
            "requested_by": "billing", "reference": "7781",
        });
        assert_eq!((asked.action, body(&asked)), (Action::Create, expected));
        assert_eq!(asked.ids.message_id.as_deref(), Some("billing:9001"));
        assert_eq!(asked.ids.correlation_id.as_deref(), Some("9001"));
        assert!(request(asked.action, asked.body, asked.ids).is_ok());
    }

    #[test]
    fn a_revoke_has_no_vlan_and_other_actions_mean_nothing() {
        let mut event = event();
        event["event"] = "address.removed".into();
        let asked = read(&event).expect("understood").expect("a command");
        assert_eq!((asked.action, body(&asked).get("vlan_name")), (Action::Revoke, None));
        assert!(request(asked.action, asked.body, asked.ids).is_ok());
        event["event"] = 7.into();
        assert_eq!(read(&event).expect("understood").expect("a command").action, Action::Create);
        event["event"] = "address.renamed".into();
        assert!(read(&event).expect("understood").is_none());
    }

    #[test]
    fn what_is_missing_or_of_the_wrong_type_is_named_with_its_place() {
        for (pointer, value, expected) in [
            ("/event", json!(null), "action: nothing stands at /event"),
            ("/service", json!(null), "server_id: nothing stands at /service/server_id"),
            ("/service/server_id", json!("one"), "server_id: `one` at /service/server_id is no whole number"),
            ("/service/server_id", json!(1.5), "server_id: `1.5` at"),
            ("/address/ip", json!(["10.0.48.6"]), "ip_address: what stands at /address/ip is neither"),
            ("/id", json!(""), "message_id: nothing stands at /id"),
            ("/order", json!({}), "reference: what stands at /order is neither"),
            ("/created_at", json!(true), "issued_at: what stands at"),
        ] {
            let mut event = event();
            *event.pointer_mut(pointer).expect("a field") = value;
            let failure = read(&event).expect_err("refused");
            assert_eq!(failure.code, Code::InvalidField);
            assert!(failure.text.starts_with(expected), "{failure}");
        }
        assert_eq!(asked("billing", &hook(), b"{").expect_err("refused").code, Code::NotJson);
        assert_eq!(asked("billing", &hook(), b"{\xff}").expect_err("refused").code, Code::NotUtf8);
    }

    #[test]
    fn without_an_id_the_same_bytes_are_the_same_request() {
        let mut hook = hook();
        hook.fields.message_id = String::new();
        let ids =
            |delivery: &str| asked("billing", &hook, delivery.as_bytes()).expect("understood").expect("a command").ids;
        let (first, other) = (event().to_string(), format!("{} ", event()));
        assert_eq!(ids(&first).message_id, ids(&first).message_id);
        assert_ne!(ids(&first).message_id, ids(&other).message_id);
        assert_eq!(ids(&first).correlation_id, None);
    }

    #[test]
    fn unix_times_are_told_from_other_times() {
        for (text, expected) in [
            ("1795255200", Some("2026-11-21T10:00:00Z")),
            ("1795255200.0", Some("2026-11-21T10:00:00.000Z")),
            ("1795255200.25", Some("2026-11-21T10:00:00.250Z")),
            ("1795255200.2509", Some("2026-11-21T10:00:00.250900000Z")),
            ("1795255200250", Some("2026-11-21T10:00:00.250Z")),
            ("2026-11-21T10:00:00Z", None),
            ("-1", None),
            ("", None),
            ("1e9", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(from_unix_time(text).as_deref(), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_delivery_makes_the_mapping_panic(delivery in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = asked("billing", &hook(), &delivery);
        }

        #[test]
        fn whatever_stands_in_the_fields_is_read_or_refused_by_name(text in any::<String>(), field in 0..6_usize) {
            let pointer = ["/id", "/created_at", "/order", "/service/server_id", "/address/ip", "/address/vlan~1name"][field];
            let mut event = event();
            *event.pointer_mut(pointer).expect("a field") = text.into();
            let made = read(&event).and_then(|asked| {
                let asked = asked.expect("a command");
                request(asked.action, asked.body, asked.ids)
            });
            if let Err(failure) = made {
                prop_assert!(failure.text.contains(": "), "{}", failure);
            }
        }
    }
}
