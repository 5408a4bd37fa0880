//! `vmacd webhooks deliveries` and `vmacd webhooks replay`.

use serde_json::json;

use crate::cli::access::change_log::note;
use crate::cli::args::{DeliveriesArgs, DeliveryReplayArgs};
use crate::cli::fault::Fault;
use crate::cli::terminal::escape::or_dash;
use crate::cli::ui::output::Output;
use crate::cli::ui::style::{Cell, Tone};
use crate::domain::DeliveryState;
use crate::store::{Delivery, DeliveryFilter, Store};

/// Deliveries read at once.
const PART: i64 = 1_000;
const COLUMNS: &[&str] = &["ID", "WEBHOOK", "EVENT", "ADDRESS", "STATE", "ATTEMPTS", "QUEUED", "LAST ANSWER"];

/// Newest first.
pub async fn list(store: &Store, output: Output, args: &DeliveriesArgs) -> Result<(), Fault> {
    let webhook = webhook_id(store, args.webhook.as_deref()).await?;
    let mut filter =
        Some(DeliveryFilter { webhook, state: args.state, limit: Some(PART), ..DeliveryFilter::default() });
    let read = async || {
        let Some(at) = filter.take() else { return Ok(None) };
        let deliveries = store.webhooks().deliveries(&at).await?;
        filter = deliveries.last().map(|last| DeliveryFilter { before_id: Some(last.id), ..at });
        Ok(Some(deliveries))
    };
    output.stream(COLUMNS, row, read).await
}

/// Sends dead deliveries again.
pub async fn replay(store: &Store, output: Output, args: &DeliveryReplayArgs) -> Result<(), Fault> {
    let webhook = webhook_id(store, args.webhook.as_deref()).await?;
    let filter = DeliveryFilter { webhook, ids: args.id.clone(), ..DeliveryFilter::default() };
    if let Some(id) = store.webhooks().not_dead(&filter).await? {
        let hint = "`vmacd webhooks deliveries --state dead` lists those that are";
        return Err(
            Fault::input(format!("delivery {id} is not dead, or not of that webhook")).with_hint(hint.to_owned())
        );
    }
    let subject = args.webhook.as_deref().unwrap_or("deliveries");
    note(store, "webhooks replay", subject, json!({"ids": args.id, "all": args.all})).await?;
    let replayed = store.webhooks().replay(&filter).await?;
    output.item(&json!({"count": replayed.len(), "ids": replayed}), || format!("{} replayed", replayed.len()))
}

async fn webhook_id(store: &Store, name: Option<&str>) -> Result<Option<i64>, Fault> {
    match name {
        Some(name) => Ok(Some(store.webhooks().get(name).await?.id)),
        None => Ok(None),
    }
}

fn row(delivery: &Delivery) -> Vec<Cell> {
    let tone = match delivery.state {
        DeliveryState::Waiting => Tone::Waiting,
        DeliveryState::Delivered => Tone::Good,
        DeliveryState::Dead => Tone::Bad,
    };
    vec![
        delivery.id.to_string().into(),
        delivery.webhook.as_str().into(),
        or_dash(delivery.routing_key.as_ref()).into(),
        or_dash(delivery.ip_address.as_ref()).into(),
        Cell::new(tone, delivery.state.as_str()),
        delivery.attempts.to_string().into(),
        delivery.created_at.format("%Y-%m-%d %H:%M:%S").to_string().into(),
        or_dash(delivery.last_answer.as_ref()).into(),
    ]
}
