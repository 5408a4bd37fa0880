//! From a message's body to a command: every field checked, every refusal with its reason.

use serde::Deserialize;
use serde_json::Value;

use super::body::{CommandBody, CreateBody, MoveBody, RevokeBody, RotateBody};
use super::content_encoding::{UNREAD, decoded};
use super::message::Message;
use crate::domain::{
    Action, AddressError, BODY_BYTES_MAX, BindableAddress, Code, Command, Failure, GroupName, Issued, IssuedError, Mac,
    check_text, shown,
};

/// Longest sentence of a refusal, characters.
const REFUSAL_CHARS_MAX: usize = 500;

/// Reads the command that a message carries.
///
/// # Errors
/// A permanent [`Failure`] that names what is wrong and where.
pub fn parse_command(message: &Message) -> Result<Command, Failure> {
    parse(message).map_err(brief)
}

/// The subnet that a message asks for in place of one address, if it does.
///
/// # Errors
/// As [`parse_command`], for all that is wrong with the form of the body.
pub(super) fn subnet_of(message: &Message) -> Result<Option<String>, Failure> {
    let asked = asked(message).map(|(_, asked)| asked);
    asked.and_then(|asked| if asked.subnet.is_some() { subnet(asked).map(Some) } else { Ok(None) }).map_err(brief)
}

/// A refusal quotes what it refuses: shortened, and safe to show.
fn brief(failure: Failure) -> Failure {
    let shown = shown(&failure.text);
    let text = match shown.char_indices().nth(REFUSAL_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &shown[..end]),
        None => shown.into_owned(),
    };
    Failure::new(failure.code, text)
}

fn parse(message: &Message) -> Result<Command, Failure> {
    let (action, asked) = asked(message)?;
    command(action, asked)
}

/// What a message asks for, as far as its form says it.
fn asked(message: &Message) -> Result<(Action, CommandBody), Failure> {
    let Some(action) = Action::from_text(&message.routing_key).filter(|a| a.routing_key() == message.routing_key)
    else {
        let known = Action::ALL.map(Action::routing_key).join(", ");
        let text = format!("unknown command `{}`; publish with one of {known}", message.routing_key);
        return Err(Failure::new(Code::UnknownCommand, text));
    };
    let ids = [
        ("message_id", &message.message_id),
        ("correlation_id", &message.correlation_id),
        ("x-vmacd-key", &message.key),
    ];
    for (name, id) in ids {
        plain_text(name, id.as_deref())?;
    }
    let text = readable(message)?;
    let asked = match action {
        Action::Create => read::<CreateBody>(text)?.into(),
        Action::Rotate => read::<RotateBody>(text)?.into(),
        Action::Move => read::<MoveBody>(text)?.into(),
        Action::Revoke => read::<RevokeBody>(text)?.into(),
    };
    Ok((action, asked))
}

/// Longer bodies than a command may have are kept in part, and refused whatever that part says.
fn readable(message: &Message) -> Result<&str, Failure> {
    let body = &message.body;
    let bytes = message.long_body.as_ref().map_or(body.len() as u64, |long| long.bytes);
    if message.long_body.is_some() || body.len() > BODY_BYTES_MAX {
        let text = format!("the body has {bytes} bytes; at most {BODY_BYTES_MAX}");
        return Err(Failure::new(Code::TooLarge, text));
    }
    // Kept beside a body that could not be decoded when it came.
    if let Some(encoding) = message.headers.get(UNREAD).and_then(Value::as_str) {
        decoded(encoding, body)?;
    }
    std::str::from_utf8(body).map_err(|error| {
        Failure::new(Code::NotUtf8, format!("the body is not UTF-8 from byte {} on", error.valid_up_to()))
    })
}

fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Failure> {
    serde_json::from_str(text).map_err(|error| {
        let code = if error.is_data() { Code::InvalidField } else { Code::NotJson };
        Failure::new(code, error.to_string())
    })
}

fn command(action: Action, asked: CommandBody) -> Result<Command, Failure> {
    let (server_id, from_server_id) = servers(&asked)?;
    plain_text("requested_by", asked.requested_by.as_deref())?;
    plain_text("reference", asked.reference.as_deref())?;
    let ip_address = address(asked.ip_address.as_deref(), asked.subnet.as_deref())?;
    let group = asked.group.as_deref().map(str::parse::<GroupName>).transpose();
    let group = group.map_err(|error| invalid("group", error.to_string()))?;
    let mac_address = asked.mac_address.as_deref().map(|text| mac(text, group.is_some())).transpose()?;
    let vlan_name = asked.vlan_name.map(|name| name.parse()).transpose();
    let pool = asked.pool.map(|name| name.parse()).transpose();
    Ok(Command {
        action,
        server_id,
        from_server_id,
        ip_address,
        vlan_name: vlan_name.map_err(|error| Failure::new(Code::InvalidVlan, format!("vlan_name: {error}")))?,
        mac_address,
        pool: pool.map_err(|error| invalid("pool", format!("{error}")))?,
        group,
        issued: asked.issued_at.map_or(Ok(None), |time| issued(&time))?,
        requested_by: asked.requested_by,
        reference: asked.reference,
    })
}

/// The one address that is asked for.
fn address(ip_address: Option<&str>, subnet: Option<&str>) -> Result<BindableAddress, Failure> {
    let refused = |text| Failure::new(Code::InvalidAddress, text);
    let text = match (ip_address, subnet) {
        (Some(text), None) => text,
        (Some(_), Some(_)) => return Err(both()),
        (None, _) => {
            return Err(invalid("ip_address", "missing; give `ip_address`, or `subnet` for a whole subnet".to_owned()));
        }
    };
    text.parse().map_err(|error| match &error {
        AddressError::WithPrefix { subnet, .. } => {
            refused(format!("ip_address: {error}, or `\"subnet\": \"{subnet}\"` for every address of the subnet"))
        }
        _ => refused(format!("ip_address: {error}")),
    })
}

/// The subnet of a body that has one; a subnet becomes several commands, each with an address.
fn subnet(asked: CommandBody) -> Result<String, Failure> {
    match asked {
        CommandBody { ip_address: Some(_), .. } => Err(both()),
        CommandBody { mac_address: Some(_), .. } => {
            Err(invalid("mac_address", "one MAC cannot be bound to every address of a subnet; leave it out".to_owned()))
        }
        CommandBody { subnet, .. } => Ok(subnet.unwrap_or_default()),
    }
}

fn both() -> Failure {
    invalid("subnet", "replaces `ip_address`; give one of the two".to_owned())
}

/// The server that the command is about, and the one that a move takes the address from.
fn servers(asked: &CommandBody) -> Result<(i64, Option<i64>), Failure> {
    for (field, id) in [("server_id", Some(asked.server_id)), ("to_server_id", asked.to_server_id)] {
        if let Some(id) = id.filter(|id| *id <= 0) {
            return Err(invalid(field, format!("{id} is not positive")));
        }
    }
    match asked.to_server_id {
        None => Ok((asked.server_id, None)),
        Some(to) if to == asked.server_id => Err(invalid("to_server_id", format!("{to} is where the address is"))),
        Some(to) => Ok((to, Some(asked.server_id))),
    }
}

fn mac(text: &str, is_shared: bool) -> Result<Mac, Failure> {
    let mac = text.parse::<Mac>().and_then(if is_shared { Mac::as_shared } else { Mac::as_virtual });
    mac.map_err(|error| Failure::new(Code::InvalidMac, format!("mac_address: {error}")))
}

/// A time as text or as a number; an empty text, null and 0 are none.
fn issued(time: &Value) -> Result<Option<Issued>, Failure> {
    let wrong = |shown: &dyn std::fmt::Display, error| invalid("issued_at", format!("`{shown}` {error}"));
    match time {
        Value::Null => Ok(None),
        Value::String(text) if text.is_empty() => Ok(None),
        Value::String(text) => Issued::of_text(text).map(Some).map_err(|error| wrong(text, error)),
        Value::Number(number) => {
            // Some clients write every number as a double.
            let whole = number.as_f64().filter(|number| number.fract() == 0.0).map(|number| number as i64);
            let number = number.as_i64().or(whole).ok_or_else(|| wrong(number, IssuedError::Form))?;
            Issued::of_field(number).map_err(|error| wrong(&number, error))
        }
        other => Err(wrong(other, IssuedError::Form)),
    }
}

/// Free text and ids.
fn plain_text(field: &str, text: Option<&str>) -> Result<(), Failure> {
    text.map_or(Ok(()), check_text).map_err(|error| invalid(field, error.to_string()))
}

fn invalid(field: &str, problem: String) -> Failure {
    Failure::new(Code::InvalidField, format!("{field}: {problem}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::broker::body_tests::is_valid;

    fn parse(routing_key: &str, body: &[u8]) -> Result<Command, Failure> {
        parse_command(&Message { routing_key: routing_key.into(), body: body.to_vec(), ..Message::default() })
    }

    #[test]
    fn a_full_create_is_read() {
        let body = br#"{"server_id": 1042, "ip_address": "10.0.48.6", "vlan_name": "VLAN.13", "mac_address": "02-A1-00-00-00-01",
            "issued_at": "2026-11-21T10:00:00.250Z", "requested_by": "billing", "reference": "order 7781"}"#;
        let command = parse("vmac.create", body).expect("a command");
        assert_eq!(command.mac_address.map(|mac| mac.to_string()).as_deref(), Some("02:a1:00:00:00:01"));
        assert_eq!(command.issued, Some(Issued::At { ms: 1_795_255_200_250, nanos: 0 }));
    }

    #[test]
    fn an_empty_time_of_issue_is_none() {
        for time in [r#""""#, "null", "0", "0.0"] {
            let body = format!(r#"{{"server_id": 1, "ip_address": "10.0.0.1", "issued_at": {time}}}"#);
            assert_eq!(parse("vmac.create", body.as_bytes()).expect("a command").issued, None);
        }
    }

    #[test]
    fn a_number_is_a_time_of_issue_too() {
        let issued = |time: &str| {
            let body = format!(r#"{{"server_id": 1, "ip_address": "10.0.0.1", "issued_at": {time}}}"#);
            parse("vmac.create", body.as_bytes()).map(|command| command.issued)
        };
        assert_eq!(issued("1795255200.0"), Ok(Some(Issued::second(1_795_255_200))));
        assert_eq!(issued("1795255200250"), Ok(Issued::of_number(1_795_255_200_250)));
        for (time, expected) in [
            ("-1", "issued_at: `-1` is before 1970"),
            ("1795255200.25", "issued_at: `1795255200.25` is not an RFC 3339 time"),
            ("1795255200250000", "issued_at: `1795255200250000` is after the year 9999"),
            (r#""1795255200""#, "issued_at: `1795255200` is not an RFC 3339 time"),
        ] {
            let failure = issued(time).expect_err("refused");
            assert!(failure.code == Code::InvalidField && failure.text.contains(expected), "{failure}");
        }
    }

    #[test]
    fn every_refusal_names_its_reason() {
        let large = format!("{{\"reference\": \"{}\"}}", "x".repeat(BODY_BYTES_MAX));
        let table: &[(&str, &[u8], Code, &str)] = &[
            ("vmac.dance", b"{}", Code::UnknownCommand, "unknown command `vmac.dance`"),
            ("create", b"{}", Code::UnknownCommand, "unknown command `create`"),
            ("vmac.create", b"{\xff}", Code::NotUtf8, "byte 1"),
            ("vmac.create", b"{", Code::NotJson, "line 1 column 1"),
            ("vmac.create", large.as_bytes(), Code::TooLarge, "at most 65536"),
            ("vmac.create", b"[]", Code::InvalidField, "invalid length"),
            (
                "vmac.create",
                br#"{"server_id": 1, "ip_address": "10.0.0.1", "colour": 1}"#,
                Code::InvalidField,
                "`colour`",
            ),
            ("vmac.create", br#"{"server_id": "1", "ip_address": "10.0.0.1"}"#, Code::InvalidField, "expected i64"),
            ("vmac.create", br#"{"server_id": 0, "ip_address": "10.0.0.1"}"#, Code::InvalidField, "server_id: 0"),
            (
                "vmac.create",
                br#"{"server_id": 1, "server_id": 2, "ip_address": "10.0.0.1"}"#,
                Code::InvalidField,
                "duplicate field",
            ),
            ("vmac.create", br#"{"ip_address": "10.0.0.1"}"#, Code::InvalidField, "missing field `server_id`"),
            (
                "vmac.create",
                br#"{"server_id": 1, "ip_address": "ge-0/0/1; delete"}"#,
                Code::InvalidAddress,
                "ip_address",
            ),
            ("vmac.create", br#"{"server_id": 1, "ip_address": "fe80::1"}"#, Code::InvalidAddress, "link-local"),
            (
                "vmac.create",
                br#"{"server_id": 1, "ip_address": "10.0.0.1", "vlan_name": "V\n1"}"#,
                Code::InvalidVlan,
                "V\\n1",
            ),
            (
                "vmac.create",
                br#"{"server_id": 1, "ip_address": "10.0.0.1", "mac_address": "00:11:22:33:44:55"}"#,
                Code::InvalidMac,
                "locally",
            ),
            (
                "vmac.create",
                br#"{"server_id": 1, "ip_address": "10.0.0.1", "issued_at": "yesterday"}"#,
                Code::InvalidField,
                "issued_at",
            ),
            (
                "vmac.create",
                br#"{"server_id": 1, "ip_address": "10.0.0.1", "reference": "a\u0000b"}"#,
                Code::InvalidField,
                "reference",
            ),
            (
                "vmac.revoke",
                br#"{"server_id": 1, "ip_address": "10.0.0.1", "vlan_name": "V1"}"#,
                Code::InvalidField,
                "`vlan_name`",
            ),
        ];
        assert_refused(table);
    }

    #[test]
    fn a_body_has_one_address_or_one_subnet_and_the_refusal_names_what_to_write() {
        assert_refused(&[
            ("vmac.create", br#"{"server_id": 1}"#, Code::InvalidField, "ip_address: missing"),
            ("vmac.create", br#"{"server_id": 1, "ip_address": null}"#, Code::InvalidField, "ip_address: missing"),
            (
                "vmac.create",
                br#"{"server_id": 1, "ip_address": "192.0.2.10/31"}"#,
                Code::InvalidAddress,
                "write 192.0.2.10 for this address alone, or `\"subnet\": \"192.0.2.10/31\"`",
            ),
            (
                "vmac.revoke",
                br#"{"server_id": 1, "ip_address": "192.0.2.77/24"}"#,
                Code::InvalidAddress,
                "write 192.0.2.77 for this address alone, or `\"subnet\": \"192.0.2.0/24\"`",
            ),
            (
                "vmac.move",
                br#"{"server_id": 1, "to_server_id": 2, "ip_address": "2001:db8::6/64"}"#,
                Code::InvalidAddress,
                "write 2001:db8::6 for",
            ),
            (
                "vmac.rotate",
                br#"{"server_id": 1, "ip_address": "10.0.0.1", "subnet": "10.0.0.0/29"}"#,
                Code::InvalidField,
                "one of the two",
            ),
        ]);
    }

    /// Routing keys and bodies, each with the code and a part of the sentence.
    fn assert_refused(table: &[(&str, &[u8], Code, &str)]) {
        for (routing_key, body, code, text) in table {
            let failure = parse(routing_key, body).expect_err("refused");
            assert_eq!(failure.code, *code, "{failure}");
            assert!(failure.text.contains(text), "{failure}");
            // What a schema cannot say: how long a body is, and that a name stands twice in it.
            assert!(*code == Code::TooLarge || text.contains("duplicate") || !is_valid(routing_key, body), "{text}");
        }
    }

    #[test]
    fn a_refusal_is_short_and_safe_to_show_whatever_it_quotes() {
        for hostile in ["a\u{1b}[2J\nforged", "\u{202e}gnp", "nul\0", "]]>]]>", &"x\n".repeat(20_000)] {
            let fields = [hostile, "ip_address", "issued_at", "vlan_name", "mac_address", "reference"];
            for field in fields {
                let body = serde_json::json!({"server_id": 1, "ip_address": "10.0.0.1", field: hostile});
                let Err(failure) = parse("vmac.create", body.to_string().as_bytes()) else { continue };
                assert_eq!(shown(&failure.text), failure.text, "{field}");
                assert!(failure.text.chars().count() <= REFUSAL_CHARS_MAX + 1, "{field}");
            }
            let failure = parse(&format!("vmac.create{hostile}"), b"{}").expect_err("refused");
            assert_eq!(shown(&failure.text), failure.text);
        }
    }

    #[test]
    fn ids_with_control_characters_are_refused_wherever_they_stand() {
        let hostile = Some("m-1\n2026-11-21 forged".to_owned());
        let body = br#"{"server_id": 1, "ip_address": "10.0.0.1"}"#.to_vec();
        let plain = Message { routing_key: "vmac.create".to_owned(), body, ..Message::default() };
        for message in [
            Message { message_id: hostile.clone(), ..plain.clone() },
            Message { correlation_id: hostile.clone(), ..plain.clone() },
            Message { key: hostile.clone(), ..plain.clone() },
        ] {
            assert_eq!(parse_command(&message).expect_err("refused").code, Code::InvalidField);
        }
    }

    proptest! {
        #[test]
        fn no_body_makes_the_reader_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse("vmac.create", &body);
        }
    }
}
