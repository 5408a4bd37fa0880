//! Form-encoded bodies (`application/x-www-form-urlencoded`) as the JSON that they stand for. Pure.
//!
//! `address[ip]=10.0.48.6` is the field `ip` of `address`, and `ips[]=` the next of the list `ips`, as PHP's
//! `http_build_query` and jQuery write them. Every value is a text. GitHub puts its JSON as a whole into the field `payload`.

use serde_json::{Map, Value};

/// Deepest nesting of names.
const DEPTH_MAX: usize = 16;

/// Why a form cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum FormError {
    /// A field is there twice.
    #[error("the form has the field `{0}` twice")]
    Twice(String),
    /// A field is a text here and holds others there.
    #[error("the form has the field `{0}` both as a text and with fields of its own")]
    Mixed(String),
    /// A name is nested too deep, or its brackets are not closed.
    #[error("the form's field name `{0}` cannot be read")]
    Name(String),
    /// A name or a value is not valid UTF-8.
    #[error("the form is not UTF-8 in the field `{0}`")]
    NotUtf8(String),
}

/// The form as an object.
pub(super) fn read_form(body: &str) -> Result<Value, FormError> {
    let mut fields = Value::Object(Map::new());
    for (name, value) in url::form_urlencoded::parse(body.as_bytes()) {
        // What is no UTF-8 was replaced while it was decoded.
        if name.contains(char::REPLACEMENT_CHARACTER) || value.contains(char::REPLACEMENT_CHARACTER) {
            return Err(FormError::NotUtf8(name.into_owned()));
        }
        let path = path(&name).ok_or_else(|| FormError::Name(name.to_string()))?;
        put(&mut fields, &path, &value, &name)?;
    }
    unpack_payload(&mut fields);
    Ok(fields)
}

/// `a[b][]` as `a`, `b` and an empty part.
fn path(name: &str) -> Option<Vec<&str>> {
    let Some((first, rest)) = name.split_once('[') else { return Some(vec![name]) };
    let inner = rest.strip_suffix(']')?;
    let parts: Vec<&str> = std::iter::once(first).chain(inner.split("][")).collect();
    let is_plain = |part: &&str| !part.contains(['[', ']']);
    (parts.len() <= DEPTH_MAX && !first.is_empty() && parts.iter().all(is_plain)).then_some(parts)
}

fn put(place: &mut Value, path: &[&str], text: &str, name: &str) -> Result<(), FormError> {
    let Some((part, rest)) = path.split_first() else {
        return if place.is_null() {
            *place = text.into();
            Ok(())
        } else if place.is_string() {
            Err(FormError::Twice(name.to_owned()))
        } else {
            Err(FormError::Mixed(name.to_owned()))
        };
    };
    if place.is_null() {
        *place = if part.is_empty() { Value::Array(Vec::new()) } else { Value::Object(Map::new()) };
    }
    match place {
        Value::Array(values) if part.is_empty() => {
            let mut next = Value::Null;
            put(&mut next, rest, text, name)?;
            values.push(next);
            Ok(())
        }
        Value::Object(fields) => put(fields.entry(*part).or_insert(Value::Null), rest, text, name),
        _ => Err(FormError::Mixed(name.to_owned())),
    }
}

fn unpack_payload(fields: &mut Value) {
    if let Some(Value::String(text)) = fields.get("payload")
        && let Ok(payload @ Value::Object(_)) = serde_json::from_str::<Value>(text)
    {
        fields["payload"] = payload;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_are_nested_as_their_names_say() {
        let form = "event=address.added&id=1+2&service%5Bserver_id%5D=1042&address[ip]=2001%3Adb8%3A%3A6&tags[]=a&tags[]=b&empty=";
        let expected = json!({
            "event": "address.added", "id": "1 2", "service": {"server_id": "1042"}, "address": {"ip": "2001:db8::6"},
            "tags": ["a", "b"], "empty": "",
        });
        assert_eq!(read_form(form), Ok(expected));
    }

    #[test]
    fn json_in_the_field_payload_is_read() {
        let form = "payload=%7B%22event%22%3A%22address.added%22%7D&note=%7B%7D";
        assert_eq!(read_form(form), Ok(json!({"payload": {"event": "address.added"}, "note": "{}"})));
    }

    #[test]
    fn what_says_two_things_is_refused() {
        for (form, expected) in [
            ("ip=10.0.48.6&ip=10.0.48.7", FormError::Twice("ip".to_owned())),
            ("a=1&a[b]=2", FormError::Mixed("a[b]".to_owned())),
            ("a[b]=2&a=1", FormError::Mixed("a".to_owned())),
            ("a[b=1", FormError::Name("a[b".to_owned())),
            ("[a]=1", FormError::Name("[a]".to_owned())),
            ("a=%ff", FormError::NotUtf8("a".to_owned())),
        ] {
            assert_eq!(read_form(form), Err(expected), "{form}");
        }
        let deep = format!("a{}=1", "[b]".repeat(DEPTH_MAX));
        assert!(matches!(read_form(&deep), Err(FormError::Name(_))));
    }

    proptest! {
        #[test]
        fn no_form_makes_the_reader_panic(form in "[a-c\\[\\]=&%+0-9]{0,60}") {
            let _ = read_form(&form);
        }
    }
}
