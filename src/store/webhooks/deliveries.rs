//! Listing deliveries, and sending dead ones again.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::json;

use crate::domain::{DeliveryState, WebhookName};
use crate::store::database::engine::{Arg, Row, batch_arg};
use crate::store::database::error::StoreError;
use crate::store::parts::Webhooks;

/// An event on its way to a webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Delivery {
    /// Its number.
    pub id: i64,
    /// The webhook's number.
    pub webhook_id: i64,
    /// Its name.
    pub webhook: WebhookName,
    /// The event's number.
    pub event_id: i64,
    /// `vmac.active`, ...; none where the event was removed since.
    pub routing_key: Option<String>,
    /// The address that the event is about.
    pub ip_address: Option<String>,
    /// What became of it.
    pub state: DeliveryState,
    /// Attempts made.
    pub attempts: i64,
    /// When it is tried again, where it waits and was tried before.
    pub next_at: Option<DateTime<Utc>>,
    /// What came back the first time.
    pub first_answer: Option<String>,
    /// What came back the last time.
    pub last_answer: Option<String>,
    /// When it was last tried.
    pub last_tried_at: Option<DateTime<Utc>>,
    /// When it was queued.
    pub created_at: DateTime<Utc>,
    /// When it was delivered, or given up.
    pub ended_at: Option<DateTime<Utc>>,
}

/// Which deliveries; by default all.
#[derive(Debug, Clone, Default)]
pub struct DeliveryFilter {
    /// Of this webhook.
    pub webhook: Option<i64>,
    /// In this state.
    pub state: Option<DeliveryState>,
    /// These numbers.
    pub ids: Vec<i64>,
    /// Below this number; none begins at the newest.
    pub before_id: Option<i64>,
    /// Maximum number; none for all.
    pub limit: Option<i64>,
}

impl Delivery {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        let (state, next_at_ms): (DeliveryState, i64) = (row.parse("state")?, row.get("next_at_ms")?);
        let is_put_off = state == DeliveryState::Waiting && next_at_ms > 0;
        Ok(Self {
            id: row.get("id")?,
            webhook_id: row.get("webhook_id")?,
            webhook: row.parse("name")?,
            event_id: row.get("event_id")?,
            routing_key: row.get("routing_key")?,
            ip_address: Some(row.get::<String>("order_key")?).filter(|key| !key.starts_with("event ")),
            state,
            attempts: row.get("attempts")?,
            next_at: is_put_off.then(|| DateTime::from_timestamp_millis(next_at_ms)).flatten(),
            first_answer: row.get("first_answer")?,
            last_answer: row.get("last_answer")?,
            last_tried_at: row.get("last_tried_at")?,
            created_at: row.get("created_at")?,
            ended_at: row.get("ended_at")?,
        })
    }
}

/// The conditions of a filter over deliveries `d`.
fn conditions(filter: &DeliveryFilter) -> (String, Vec<Arg>) {
    let ids = batch_arg(filter.ids.iter().map(|id| json!({"id": id})).collect());
    let mut arguments = vec![ids, i64::from(!filter.ids.is_empty()).into()];
    let mut sql = "(d.id IN (SELECT CAST(e.value->>'id' AS BIGINT) FROM {rows}) OR $2 = 0)".to_owned();
    let state = filter.state.map(DeliveryState::as_str);
    let given: [(&str, Option<Arg>); 3] = [
        ("d.webhook_id =", filter.webhook.map(Arg::from)),
        ("d.state =", state.map(Arg::from)),
        ("d.id <", filter.before_id.map(Arg::from)),
    ];
    for (condition, value) in given.into_iter().filter_map(|(condition, value)| Some((condition, value?))) {
        arguments.push(value);
        sql.push_str(&format!(" AND {condition} ${}", arguments.len()));
    }
    (sql, arguments)
}

impl Webhooks<'_> {
    /// The deliveries that match, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn deliveries(self, filter: &DeliveryFilter) -> Result<Vec<Delivery>, StoreError> {
        let (conditions, mut arguments) = conditions(filter);
        arguments.push(filter.limit.unwrap_or(i64::MAX).into());
        let sql = format!(
            "SELECT d.id, d.webhook_id, h.name, d.event_id, v.routing_key, d.order_key, d.state, d.attempts, d.next_at_ms,
                 d.first_answer, d.last_answer, d.last_tried_at, d.created_at, d.ended_at
             FROM webhook_deliveries d JOIN webhooks h ON h.id = d.webhook_id LEFT JOIN events v ON v.id = d.event_id
             WHERE {conditions} ORDER BY d.id DESC LIMIT ${}",
            arguments.len()
        );
        let rows = self.store.engine.read("list deliveries", &sql, arguments).await?;
        rows.iter().map(Delivery::from_row).collect()
    }

    /// How many match, on all pages.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count_deliveries(self, filter: &DeliveryFilter) -> Result<i64, StoreError> {
        let (conditions, arguments) = conditions(&DeliveryFilter { before_id: None, ..filter.clone() });
        let sql = format!(
            "SELECT COUNT(*) AS deliveries FROM webhook_deliveries d JOIN webhooks h ON h.id = d.webhook_id
             WHERE {conditions}"
        );
        let rows = self.store.engine.read("count deliveries", &sql, arguments).await?;
        rows.first().ok_or(StoreError::NoAnswer { what: "count deliveries" })?.get("deliveries")
    }

    /// The first of the numbers asked for that is not dead, or does not match.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn not_dead(self, filter: &DeliveryFilter) -> Result<Option<i64>, StoreError> {
        if filter.ids.is_empty() {
            return Ok(None);
        }
        let dead = DeliveryFilter { state: Some(DeliveryState::Dead), limit: None, ..filter.clone() };
        let dead: HashSet<i64> = self.deliveries(&dead).await?.iter().map(|delivery| delivery.id).collect();
        Ok(filter.ids.iter().copied().find(|id| !dead.contains(id)))
    }

    /// Has dead deliveries that match sent again, at once and for another day; returns their numbers. Of each address they
    /// come before what waits there, in their order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn replay(self, filter: &DeliveryFilter) -> Result<Vec<i64>, StoreError> {
        let now_ms = self.store.now().await?.timestamp_millis();
        let dead = DeliveryFilter { state: Some(DeliveryState::Dead), ..filter.clone() };
        let (conditions, mut arguments) = conditions(&dead);
        arguments.push(now_ms.into());
        let sql = format!(
            "UPDATE webhook_deliveries AS d SET state = 'waiting', attempts = 0, next_at_ms = 0, since_ms = ${}, ended_at = NULL
             WHERE {conditions} RETURNING id",
            arguments.len()
        );
        let rows = self.store.engine.write("replay deliveries", &sql, arguments).await?;
        let mut ids = rows.iter().map(|row| row.get("id")).collect::<Result<Vec<i64>, _>>()?;
        ids.sort_unstable();
        Ok(ids)
    }
}
