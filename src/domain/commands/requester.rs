//! Who asked for something, as the body of a message says it: also of a body that is refused.

use std::borrow::Cow;
use std::fmt;

use serde::Deserializer;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

/// Longest `requested_by`, `reference` and ids, characters.
pub const TEXT_CHARS_MAX: usize = 200;

/// Why a free text or an id is refused: databases and terminals choke on control characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Too long.
    #[error("longer than {} characters", TEXT_CHARS_MAX)]
    TooLong,
    /// It holds this control character.
    #[error("contains the control character {}", .0.escape_unicode())]
    Control(char),
}

/// Checks a free text or an id.
///
/// # Errors
/// [`TextError`].
pub fn check_text(text: &str) -> Result<(), TextError> {
    if text.chars().count() > TEXT_CHARS_MAX {
        return Err(TextError::TooLong);
    }
    text.chars().find(|symbol| symbol.is_control()).map_or(Ok(()), |symbol| Err(TextError::Control(symbol)))
}

/// Who asked, and the number under which they know it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Requester {
    /// Free text: a person or a program.
    pub requested_by: Option<String>,
    /// The producer's own reference, such as an order.
    pub reference: Option<String>,
}

impl Requester {
    /// What a body says, read as far as it is JSON. A text that no command may have is left out: it is the fault.
    pub fn of_body(body: &[u8]) -> Self {
        let mut found = Self::default();
        // What was read before an error counts; the error itself is reported when the body is read as a command.
        let _ = serde_json::Deserializer::from_slice(body).deserialize_map(Fields(&mut found));
        found
    }
}

/// As the end of a sentence: ` by billing, order 7781`; empty where nothing is known.
impl fmt::Display for Requester {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.requested_by.iter().try_for_each(|by| write!(f, " by {by}"))?;
        self.reference.iter().try_for_each(|reference| write!(f, ", {reference}"))
    }
}

struct Fields<'a>(&'a mut Requester);

impl<'de> Visitor<'de> for Fields<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(field) = map.next_key::<Cow<'de, str>>()? {
            match field.as_ref() {
                "requested_by" => self.0.requested_by = plain(map.next_value()?),
                "reference" => self.0.reference = plain(map.next_value()?),
                _ => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        Ok(())
    }
}

fn plain(value: Value) -> Option<String> {
    let Value::String(text) = value else { return None };
    check_text(&text).is_ok().then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_as_far_as_the_body_can_be() {
        let long = format!(r#"{{"requested_by": "billing", "reference": "{}"}}"#, "x".repeat(TEXT_CHARS_MAX + 1));
        let table: &[(&[u8], Option<&str>, Option<&str>)] = &[
            (
                br#"{"server_id": 1, "requested_by": "billing", "reference": "order 7781"}"#,
                Some("billing"),
                Some("order 7781"),
            ),
            (br#"{"reference": "order 7781", "colour": {"a": [1]}, "server_id": "x"}"#, None, Some("order 7781")),
            (br#"{"reference": "order 7781", "server_id": 1"#, None, Some("order 7781")),
            (b"{\"requested_by\": \"billing\", \"vlan_name\": \"\xff\"}", Some("billing"), None),
            (br#"{"requested_by": 7, "reference": "a\nb"}"#, None, None),
            (long.as_bytes(), Some("billing"), None),
            (br#"["reference"]"#, None, None),
            (b"", None, None),
        ];
        for (body, requested_by, reference) in table {
            let found = Requester::of_body(body);
            let found = (found.requested_by.as_deref(), found.reference.as_deref());
            assert_eq!(found, (*requested_by, *reference), "{}", String::from_utf8_lossy(body));
        }
    }
}
