//! The statements of both engines: their arguments, and the few words in which the engines differ.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::json;

/// One argument of a statement.
#[derive(Debug, Clone)]
pub(in crate::store) enum Arg {
    Int(Option<i64>),
    Text(Option<String>),
    Bytes(Vec<u8>),
    Time(Option<DateTime<Utc>>),
    Json(serde_json::Value),
}

macro_rules! arg_from {
    ($($type:ty => |$value:ident| $arg:expr),* $(,)?) => {
        $(impl From<$type> for Arg {
            fn from($value: $type) -> Self {
                $arg
            }
        })*
    };
}

arg_from! {
    i64 => |value| Self::Int(Some(value)),
    Option<i64> => |value| Self::Int(value),
    &str => |value| Self::Text(Some(storable(value.to_owned()))),
    String => |value| Self::Text(Some(storable(value))),
    Option<String> => |value| Self::Text(value.map(storable)),
    Vec<u8> => |value| Self::Bytes(value),
    DateTime<Utc> => |value| Self::Time(Some(value)),
    Option<DateTime<Utc>> => |value| Self::Time(value),
    serde_json::Value => |value| Self::Json(storable_json(value)),
}

/// Postgres takes NUL in no text, neither as such nor within JSON: the replacement character stands in for it, because
/// what others sent (headers, ids, the words of a switch) must not keep what we know of it from being written.
fn storable(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
}

fn storable_json(value: serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match value {
        Value::String(text) => storable(text).into(),
        Value::Array(values) => values.into_iter().map(storable_json).collect(),
        Value::Object(fields) => {
            fields.into_iter().map(|(name, value)| (storable(name), storable_json(value))).collect()
        }
        plain => plain,
    }
}

/// The arguments of a statement, in the order of `$1`, `$2`, ...
macro_rules! args {
    ($($value:expr),* $(,)?) => {
        vec![$($crate::store::database::statement::Arg::from($value)),*]
    };
}
pub(in crate::store) use args;

/// The statement with its arguments, as sqlx takes it.
macro_rules! query {
    ($sql:expr, $arguments:expr) => {
        $arguments.into_iter().fold(sqlx::query(sqlx::AssertSqlSafe($sql)), |query, argument| match argument {
            $crate::store::database::statement::Arg::Int(value) => query.bind(value),
            $crate::store::database::statement::Arg::Text(value) => query.bind(value),
            $crate::store::database::statement::Arg::Bytes(value) => query.bind(value),
            $crate::store::database::statement::Arg::Time(value) => query.bind(value),
            $crate::store::database::statement::Arg::Json(value) => query.bind(sqlx::types::Json(value)),
        })
    };
}
pub(in crate::store) use query;

/// A batch as the argument that `{rows}` reads.
pub(in crate::store) fn batch_arg(rows: Vec<impl Serialize>) -> Arg {
    let text = serde_json::to_string(&rows).expect("rows are plain JSON");
    // Mostly there is no NUL, and then nothing needs to be searched.
    let text = if text.contains(r"\u0000") { storable_json(json!(rows)).to_string() } else { text };
    Arg::Text(Some(text))
}

pub(in crate::store) fn for_postgres(sql: &str) -> String {
    sql.replace("{rows}", "jsonb_array_elements($1::jsonb) AS e(value)")
        .replace("{bindings}", "jsonb_array_elements(switch_bindings) AS port(value)")
        .replace("{in}", "= ANY(ARRAY(")
        .replace("{/in}", "))")
        .replace("{strpos}", "strpos")
        .replace("{now_ms}", "(SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT))")
        .replace("{for_update}", "FOR UPDATE")
        .replace("{skip_locked}", "FOR UPDATE SKIP LOCKED")
        .replace("{unhex}", "decode(")
        .replace("{/unhex}", ", 'hex')")
        .replace("{day}", "(CAST(EXTRACT(EPOCH FROM ")
        .replace("{/day}", ") AS BIGINT) / 86400)")
        .replace("{epoch_ms}", "(EXTRACT(EPOCH FROM ")
        .replace("{/epoch_ms}", ") * 1000)")
        .replace("{past_ports}", "past_ports_of(server_id, switch_bindings)")
}
