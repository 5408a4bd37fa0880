//! The event of a delivery: JSON, or a form, and its fields by JSON pointers. Pure.

use serde_json::Value;

use super::form::{FormError, read_form};
use crate::domain::{Code, Failure, shown};

/// The byte order mark, which some editors leave at the beginning of what PHP sends.
const BOM: char = '\u{feff}';
const FORM: &str = "application/x-www-form-urlencoded";

/// The other system's event.
#[derive(Debug)]
pub(super) struct Event(Value);

impl Event {
    /// Reads a body by its content type. What begins like JSON is JSON: many clients call everything a form.
    ///
    /// # Errors
    /// A permanent [`Failure`]: the body is neither.
    pub fn read(body: &[u8], content_type: &str) -> Result<Self, Failure> {
        let text = std::str::from_utf8(body).map_err(|error| {
            Failure::new(Code::NotUtf8, format!("the body is not UTF-8 from byte {} on", error.valid_up_to()))
        })?;
        let text = text.trim_start_matches(BOM);
        let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let is_json = text.trim_start().starts_with(['{', '[']);
        if kind == FORM && !is_json {
            return read_form(text).map(Self).map_err(|error| refused(&error));
        }
        serde_json::from_str(text).map(Self).map_err(|error| {
            let sent = if kind.is_empty() || is_json { String::new() } else { format!(" (sent as {})", shown(&kind)) };
            Failure::new(Code::NotJson, format!("{error}{sent}; expected JSON, or a form sent as {FORM}"))
        })
    }

    /// The text or number at a pointer (RFC 6901); nothing where there is no pointer, or nothing, null or an empty text.
    pub fn text(&self, field: &str, pointer: &str) -> Result<Option<String>, Failure> {
        let found = if pointer.is_empty() { None } else { self.0.pointer(pointer) };
        match found {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone()).filter(|text| !text.is_empty())),
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(Value::Bool(_) | Value::Array(_) | Value::Object(_)) => {
                Err(invalid(field, format!("the value at {pointer} is neither text nor a number")))
            }
        }
    }

    /// The same, where it must be there.
    pub fn needed(&self, field: &str, pointer: &str) -> Result<String, Failure> {
        self.text(field, pointer)?.ok_or_else(|| missing(field, pointer))
    }

    /// A whole number, or a text that is one.
    pub fn number(&self, field: &str, pointer: &str) -> Result<i64, Failure> {
        let text = self.needed(field, pointer)?;
        let number = text.trim().parse();
        number.map_err(|_| invalid(field, format!("`{}` at {pointer} is not a whole number", shown(&text))))
    }
}

fn refused(error: &FormError) -> Failure {
    let code = if matches!(error, FormError::NotUtf8(_)) { Code::NotUtf8 } else { Code::InvalidField };
    Failure::new(code, format!("body: {}", shown(&error.to_string())))
}

/// A refusal that names the field.
pub(super) fn invalid(field: &str, problem: String) -> Failure {
    Failure::new(Code::InvalidField, format!("{field}: {problem}"))
}

/// The refusal of an event that lacks the field.
pub(super) fn missing(field: &str, pointer: &str) -> Failure {
    invalid(field, format!("nothing is at {pointer}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(body: &str, content_type: &str) -> Result<String, Failure> {
        Event::read(body.as_bytes(), content_type)?.needed("message_id", "/event/id")
    }

    #[test]
    fn json_and_forms_are_told_apart_whatever_they_are_called() {
        let (json, form) = (r#"{"event": {"id": 7}}"#, "event%5Bid%5D=7");
        for (body, content_type) in [
            (json, "application/json"),
            (json, "application/json; charset=utf-8"),
            (json, ""),
            (json, "text/plain"),
            // curl's default for every body.
            (json, FORM),
            ("\u{feff} {\"event\": {\"id\": 7}}", "application/json"),
            (form, FORM),
            (form, "Application/X-WWW-Form-Urlencoded; charset=UTF-8"),
        ] {
            assert_eq!(id(body, content_type).as_deref(), Ok("7"), "{body} as {content_type}");
        }
    }

    #[test]
    fn what_is_neither_is_refused_with_what_it_was_sent_as() {
        let failure = id("--x\r\n", "multipart/form-data; boundary=x").expect_err("refused");
        assert_eq!(failure.code, Code::NotJson);
        assert!(failure.text.contains("(sent as multipart/form-data)"), "{failure}");
        assert_eq!(id("event%5Bid%5D=7", "").expect_err("no form").code, Code::NotJson);
        assert_eq!(id("id=1&id=2", FORM).expect_err("twice").text, "body: the form has the field `id` twice");
        assert_eq!(id("id=%ff", FORM).expect_err("no UTF-8").code, Code::NotUtf8);
        assert_eq!(Event::read(b"{\xff}", "").expect_err("no UTF-8").code, Code::NotUtf8);
    }
}
