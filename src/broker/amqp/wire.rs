//! Messages as AMQP properties and headers, both ways.

use lapin::BasicProperties;
use lapin::message::Delivery as LapinDelivery;
use lapin::types::{AMQPValue, FieldTable, ShortString};
use serde_json::{Map, Value, json};

use super::frames::without_trailer;
use super::publisher::Parcel;
use crate::broker::delivery::DeadReason;
use crate::broker::headers::bounded;
use crate::broker::message::{EventMessage, Message};
use crate::domain::TraceParent;

/// The header in which a dead letter of the earlier version carries its reason.
const DEAD: &str = "x-vmacd-dead";
/// The header that says what is known of a body of which only the beginning is there.
const LONG_BODY: &str = "x-vmacd-body";
const PERSISTENT: u8 = 2;
/// Most replays that are believed.
const REPLAYS_MAX: i64 = 1 << 20;
/// What RabbitMQ adds by itself when it delivers again or dead-letters; sent along again it would be untrue.
/// `x-stream-offset` comes with what is read from the archive.
const OF_THE_BROKER: [&str; 6] =
    ["x-death", "x-first-death", "x-last-death", "x-delivery-count", "x-acquired-count", "x-stream-offset"];
/// What the earlier version wrote beside; nothing is read from it.
const OF_THE_EARLIER_VERSION: [&str; 5] =
    ["x-vmacd-attempt", "x-vmacd-first-seen", "x-vmacd-age", "x-vmacd-reason", "x-vmacd-error"];

/// A command on its way to an exchange.
pub(super) fn command<'a>(exchange: &str, message: &'a Message) -> Parcel<'a> {
    let mut headers = to_table(&bounded(message.headers.clone()));
    let numbers = [
        ("x-vmacd-issued-at", message.issued_at_ms),
        ("x-vmacd-arrival", message.arrival),
        ("x-vmacd-replay", Some(message.replay_number).filter(|replay| *replay > 0)),
    ];
    for (name, value) in numbers.into_iter().filter_map(|(name, value)| Some((name, value?))) {
        headers.insert(name.into(), AMQPValue::LongLongInt(value));
    }
    let texts = [
        ("x-vmacd-key", message.key.clone()),
        ("traceparent", message.traceparent.clone()),
        (LONG_BODY, message.long_body.as_ref().map(|long| json!(long).to_string())),
    ];
    for (name, value) in texts.into_iter().filter_map(|(name, value)| Some((name, value?))) {
        headers.insert(name.into(), AMQPValue::LongString(value.into()));
    }
    let mut properties = properties(message.message_id.as_deref(), message.correlation_id.as_deref(), headers);
    if let Some(timestamp) = message.timestamp.and_then(|timestamp| u64::try_from(timestamp).ok()) {
        properties = properties.with_timestamp(timestamp);
    }
    let (exchange, routing_key) = (exchange.to_owned(), message.routing_key.clone());
    Parcel { exchange, routing_key, mandatory: true, properties, body: &message.body }
}

/// An event on its way; nobody has to listen.
pub(super) fn event<'a>(exchange: &str, event: &'a EventMessage) -> Parcel<'a> {
    let mut headers = FieldTable::default();
    if let Some(trace) = &event.traceparent {
        headers.insert("traceparent".into(), AMQPValue::LongString(trace.as_str().into()));
    }
    let properties = properties(Some(&event.message_id), event.correlation_id.as_deref(), headers);
    let (exchange, routing_key) = (exchange.to_owned(), event.routing_key.clone());
    Parcel { exchange, routing_key, mandatory: false, properties, body: &event.body }
}

fn properties(message_id: Option<&str>, correlation_id: Option<&str>, headers: FieldTable) -> BasicProperties {
    let mut properties = BasicProperties::default()
        .with_delivery_mode(PERSISTENT)
        .with_content_type("application/json".into())
        .with_headers(headers);
    if let Some(id) = message_id {
        properties = properties.with_message_id(short(id));
    }
    if let Some(id) = correlation_id {
        properties = properties.with_correlation_id(short(id));
    }
    properties
}

/// AMQP's short strings hold 255 bytes; ids that came over AMQP always fit.
fn short(text: &str) -> ShortString {
    let end = text.char_indices().map(|(at, symbol)| at + symbol.len_utf8()).take_while(|end| *end <= 255).last();
    text[..end.unwrap_or(0)].into()
}

/// The message of a delivery, and why it is dead where it says so.
pub(super) fn received(delivery: LapinDelivery) -> (Message, Option<DeadReason>) {
    let properties = &delivery.properties;
    let mut headers = readable(properties.headers().as_ref());
    let of_the_broker = headers.contains_key("x-death");
    headers.retain(|name, _| !OF_THE_BROKER.iter().any(|prefix| name.starts_with(prefix)));
    headers.retain(|name, _| !OF_THE_EARLIER_VERSION.contains(&name.as_str()));
    // Anybody can set these: what vmacd never writes counts as nothing.
    let mut number = |name: &str| headers.remove(name).and_then(|value| value.as_i64()).filter(|number| *number >= 0);
    let (issued_at_ms, arrival) = (number("x-vmacd-issued-at").filter(|ms| *ms > 0), number("x-vmacd-arrival"));
    let replay_number = number("x-vmacd-replay").filter(|replay| *replay <= REPLAYS_MAX).unwrap_or(0);
    let mut text = |name: &str| headers.remove(name).and_then(|value| value.as_str().map(str::to_owned));
    let (key, traceparent) = (text("x-vmacd-key"), text("traceparent").filter(|trace| is_traceparent(trace)));
    // On what the broker itself gave up, the reason would be one that the producer wrote.
    let dead = text(DEAD).filter(|_| !of_the_broker).and_then(|reason| serde_json::from_str(&reason).ok());
    let claimed = text(LONG_BODY).and_then(|long| serde_json::from_str(&long).ok());
    let (body, long_body) = without_trailer(delivery.data);
    let message = Message {
        message_id: properties.message_id().as_ref().map(ToString::to_string),
        correlation_id: properties.correlation_id().as_ref().map(ToString::to_string),
        traceparent,
        routing_key: delivery.routing_key.to_string(),
        timestamp: properties.timestamp().and_then(|timestamp| i64::try_from(timestamp).ok()),
        key,
        issued_at_ms,
        arrival,
        replay_number,
        headers,
        body,
        long_body: long_body.or(claimed),
    };
    let encoding = properties.content_encoding().as_ref().map(ShortString::as_str);
    (message.bounded().decoded(encoding).without_empty_ids(), dead)
}

/// What is no trace is left out, as section 4.3 of W3C Trace Context asks; what a later version adds is carried on
/// as long as it is plain.
fn is_traceparent(text: &str) -> bool {
    text.len() <= 255 && text.bytes().all(|byte| byte.is_ascii_graphic()) && text.parse::<TraceParent>().is_ok()
}

fn readable(table: Option<&FieldTable>) -> Map<String, Value> {
    let fields = table.into_iter().flat_map(|table| table.inner().iter());
    fields.map(|(name, value)| (name.to_string(), to_json(value))).collect()
}

/// A header as JSON: times as their seconds, bytes as the text they most likely are.
fn to_json(value: &AMQPValue) -> Value {
    match value {
        AMQPValue::Boolean(value) => json!(value),
        AMQPValue::ShortShortInt(value) => json!(value),
        AMQPValue::ShortShortUInt(value) => json!(value),
        AMQPValue::ShortInt(value) => json!(value),
        AMQPValue::ShortUInt(value) => json!(value),
        AMQPValue::LongInt(value) => json!(value),
        AMQPValue::LongUInt(value) => json!(value),
        AMQPValue::LongLongInt(value) => json!(value),
        AMQPValue::Float(value) => json!(value),
        AMQPValue::Double(value) => json!(value),
        AMQPValue::DecimalValue(value) => json!(f64::from(value.value) / 10_f64.powi(value.scale.into())),
        AMQPValue::ShortString(value) => json!(value.as_str()),
        AMQPValue::LongString(value) => json!(String::from_utf8_lossy(value.as_bytes())),
        AMQPValue::ByteArray(value) => json!(String::from_utf8_lossy(value.as_slice())),
        AMQPValue::Timestamp(seconds) => json!(seconds),
        AMQPValue::FieldArray(values) => values.as_slice().iter().map(to_json).collect(),
        AMQPValue::FieldTable(table) => Value::Object(readable(Some(table))),
        AMQPValue::Void => Value::Null,
    }
}

fn to_amqp(value: &Value) -> AMQPValue {
    match value {
        Value::Null => AMQPValue::Void,
        Value::Bool(value) => AMQPValue::Boolean(*value),
        Value::Number(value) => match value.as_i64() {
            Some(whole) => AMQPValue::LongLongInt(whole),
            None => AMQPValue::Double(value.as_f64().unwrap_or_default()),
        },
        Value::String(value) => AMQPValue::LongString(value.as_str().into()),
        Value::Array(values) => AMQPValue::FieldArray(values.iter().map(to_amqp).collect::<Vec<_>>().into()),
        Value::Object(fields) => AMQPValue::FieldTable(to_table(fields)),
    }
}

fn to_table(fields: &Map<String, Value>) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in fields {
        table.insert(short(name), to_amqp(value));
    }
    table
}
