//! How much of a producer's own headers is kept.

use serde_json::{Map, Value, json};

use super::message::TIMESTAMP_IN_MS;

/// Most that is kept, bytes as AMQP encodes them, with [`VALUE_BYTES`] more for each value: a list of a thousand `null`
/// takes a kilobyte on the wire and much more in memory.
const HEADERS_BYTES_MAX: usize = 32 << 10;
/// Counted for each value beside its content.
const VALUE_BYTES: usize = 16;

/// The headers, or a note in their place where they are too many; the time of the message is kept.
pub(super) fn bounded(headers: Map<String, Value>) -> Map<String, Value> {
    let bytes = fields_bytes(&headers);
    if bytes <= HEADERS_BYTES_MAX {
        return headers;
    }
    let note = format!("{bytes} bytes of headers were left out; at most {HEADERS_BYTES_MAX} are kept");
    let time = headers.get_key_value(TIMESTAMP_IN_MS).filter(|(_, value)| value.is_number());
    let kept = time.map(|(name, value)| (name.clone(), value.clone()));
    kept.into_iter().chain([("x-vmacd-headers".to_owned(), json!(note))]).collect()
}

fn fields_bytes(fields: &Map<String, Value>) -> usize {
    fields.iter().map(|(name, value)| 1 + name.len() + value_bytes(value)).sum()
}

fn value_bytes(value: &Value) -> usize {
    VALUE_BYTES
        + match value {
            Value::Null => 1,
            Value::Bool(_) => 2,
            Value::Number(_) => 9,
            Value::String(text) => 5 + text.len(),
            Value::Array(values) => 5 + values.iter().map(value_bytes).sum::<usize>(),
            Value::Object(fields) => 5 + fields_bytes(fields),
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(value: Value) -> Map<String, Value> {
        Map::from_iter([("h".to_owned(), value)])
    }

    #[test]
    fn headers_are_kept_as_long_as_they_are_few() {
        for value in [json!("x".repeat(30_000)), json!([1, "two", null, {"three": 3}]), json!(vec![1; 1_000])] {
            assert_eq!(bounded(headers(value.clone())), headers(value));
        }
    }

    #[test]
    fn too_many_headers_are_replaced_by_a_note_however_small_each_is() {
        for value in [json!("x".repeat(40_000)), json!(vec![Value::Null; 5_000]), json!(vec![1; 5_000])] {
            let kept = bounded(headers(value));
            assert!(kept["x-vmacd-headers"].as_str().expect("a note").contains("were left out"), "{kept:?}");
        }
    }
}
