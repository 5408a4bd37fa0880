//! `vmacd inventory remove`: a switch or a server leaves the inventory, once nothing needs it.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use crate::broker;
use crate::cli::access::change_log::note;
use crate::cli::app_env::AppEnv;
use crate::cli::args::{RemoveItem, RemoveOptions};
use crate::cli::fault::{Fault, did_you_mean};
use crate::cli::terminal::streams::say;
use crate::cli::ui::output::Output;
use crate::domain::{InventoryItem, MessageKey};
use crate::store::{InventoryRemoval, Store, StoreError};

/// Time between two looks at what still needs it.
const POLL: Duration = Duration::from_millis(100);

pub async fn run(env: AppEnv, output: Output, item: RemoveItem) -> Result<(), Fault> {
    let (item, options) = match item {
        RemoveItem::Switch { name, options } => (InventoryItem::Switch(name), options),
        RemoveItem::Server { id, options } => (InventoryItem::Server(id), options),
    };
    let store = env.store().await?;
    if let InventoryItem::Switch(name) = &item {
        did_you_mean::known_switch(&store, name).await?;
    }
    let action = format!("remove_{}", item.kind());
    note(&store, &action, item.name(), json!({"with_rows": options.with_rows})).await?;
    if options.with_rows {
        revoke_rows(&env, &store, output, &item, &options).await?;
    }
    match store.inventory().remove(&item, options.with_rows).await {
        Ok(removal) => output.item(&removal, || told(&removal)),
        Err(error @ StoreError::StillNeeded { .. }) if !options.with_rows => {
            Err(Fault::from(error).with_hint("--with-rows revokes virtual MACs and releases reservations first"))
        }
        Err(error) => Err(error.into()),
    }
}

fn told(removal: &InventoryRemoval) -> String {
    let InventoryRemoval { what, name, ports, reservations } = removal;
    let ports = if *ports > 0 { format!("; ports of servers that went with it: {ports}") } else { String::new() };
    let reservations =
        if *reservations > 0 { format!("; reservations released: {reservations}") } else { String::new() };
    format!("{what} {name}: removed from the inventory{ports}{reservations}")
}

/// Revokes what needs it, and waits until the switches have it removed.
async fn revoke_rows(
    env: &AppEnv,
    store: &Store,
    output: Output,
    item: &InventoryItem,
    options: &RemoveOptions,
) -> Result<(), Fault> {
    let needs = store.inventory().needs(item).await?;
    let (broker, now) = (env.broker(store).await?, store.time().await);
    let mut keys = Vec::new();
    for message in broker::revokes(&needs, options.requested_by.as_deref())? {
        keys.extend(message.message_id.clone().map(MessageKey));
        broker.publish_command(message.stamped(now)).await?;
    }
    if !output.json && !needs.rows.is_empty() {
        say(&format!("{item}: revoking {} virtual MACs", needs.rows.len()));
    }
    let deadline = Instant::now() + options.timeout;
    loop {
        let needs = store.inventory().needs(item).await?;
        if needs.rows.is_empty() {
            return Ok(());
        }
        let outcomes = store.commands().outcomes(&keys).await?;
        let failed = outcomes.iter().find_map(|(key, outcome)| Some((key, outcome.failure()?)));
        if let Some((key, failure)) = failed {
            return Err(Fault::from(failure).context(format!("{item} stays: the revoke {key} failed")));
        }
        if Instant::now() >= deadline {
            let waited = humantime::format_duration(options.timeout);
            let text = format!("{item} stays: after {waited} it is still needed by {}", needs.in_words());
            let hint = "the revokes go on; run the same command again, or `vmacd switches list` shows which switch is in trouble";
            return Err(Fault::service(anyhow::Error::msg(text)).with_hint(hint));
        }
        tokio::time::sleep(POLL).await;
    }
}
