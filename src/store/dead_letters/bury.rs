//! The dead letters of commands: written in the transaction that ends the command, from what is kept of its message.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use serde_json::json;
use uuid::Uuid;

use crate::domain::{Failure, MessageKey, SwitchName};
use crate::store::commands::row::CommandRow;
use crate::store::database::engine::args;
use crate::store::database::error::StoreError;
use crate::store::database::tx::Tx;
use crate::store::dead_letters::keep::ON_COPY;

/// A command that failed, and how.
pub(in crate::store) struct Burial<'a> {
    pub command: &'a CommandRow,
    pub failure: Cow<'a, Failure>,
    pub switch: Option<&'a SwitchName>,
    pub attempts: i64,
}

/// Writes a dead letter for each, and returns their numbers. Copies of one message are one letter.
pub(in crate::store) async fn bury(
    tx: &mut Tx,
    burials: &[Burial<'_>],
    now: DateTime<Utc>,
) -> Result<HashMap<MessageKey, i64>, StoreError> {
    let mut of_message: BTreeMap<String, Vec<&Burial<'_>>> = BTreeMap::new();
    for burial in burials {
        of_message.entry(identity(burial.command)).or_default().push(burial);
    }
    let rows = of_message.iter().filter_map(|(identity, copies)| {
        let newest = copies.last()?;
        let failure = &newest.failure;
        Some(json!({"identity": identity, "key": newest.command.key, "burial_id": Uuid::now_v7().to_string(),
            "code": failure.code, "text": failure.text, "attempts": newest.attempts, "switch": newest.switch,
            "copies": copies.len()}))
    });
    let sql = format!(
        "INSERT INTO dead_letters (burial_id, message_identity, message_id, message_key, correlation_id, traceparent,
             routing_key, issued_at_ms, replay_number, body, headers, reason_code, error_text, attempts, switch,
             server_id, ip_address, first_failed_at, last_failed_at, collected_at, sent_timestamp, arrival, copies)
         SELECT e.value->>'burial_id', e.value->>'identity', c.message_id, c.message_key, c.correlation_id,
             c.traceparent, 'vmac.' || c.action, c.stamped_at_ms, c.replay_number, c.body, c.headers,
             e.value->>'code', e.value->>'text', CAST(e.value->>'attempts' AS BIGINT), e.value->>'switch',
             c.server_id, c.ip_address, c.received_at, $2, $2, c.sent_timestamp, c.arrival,
             CAST(e.value->>'copies' AS BIGINT)
         FROM {{rows}} JOIN commands c ON c.message_key = e.value->>'key' WHERE true
         {ON_COPY} RETURNING id, message_identity"
    );
    let mut letters = HashMap::new();
    for row in tx.batch("write dead letters", &sql, rows.collect(), args![now]).await? {
        let id: i64 = row.get("id")?;
        let copies = of_message.get(&row.get::<String>("message_identity")?).into_iter().flatten();
        letters.extend(copies.map(|burial| (burial.command.key.clone(), id)));
    }
    Ok(letters)
}

/// The identity of its message; a command that an earlier version admitted has its key instead.
fn identity(command: &CommandRow) -> String {
    command.message_identity.clone().unwrap_or_else(|| format!("command/{}", command.key.0))
}
