//! Giving commands up: they end as failed, and so do their rows where they still want what was asked for.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::commands::{COLUMNS, Closing, OpenCommand, Outcome, close, known_commands, lock_vmacs};
use super::connect::Store;
use super::engine::{Tx, args};
use super::error::StoreError;
use super::vmacs::{UPDATE_VMACS, Vmac};
use crate::domain::{BindingState, Failure, MessageKey, Status};

/// A message that was tried for the last time.
#[derive(Debug, Clone)]
pub struct FailedMessage {
    /// The key of its command.
    pub key: MessageKey,
    /// A hash of its routing key and body: under the key of another command it ends none.
    pub body_hash: String,
    /// Why.
    pub failure: Failure,
}

type Failures<'a> = HashMap<&'a MessageKey, &'a Failure>;

impl Store {
    /// Gives up those of the commands that are still open, and with them the others that wait for the same rows:
    /// nothing drives those any more. Answers with those messages (key and hash) whose commands ended well before, of
    /// which nobody may say that they failed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn fail_commands(&self, messages: &[FailedMessage]) -> Result<HashSet<(MessageKey, String)>, StoreError> {
        if messages.is_empty() {
            return Ok(HashSet::new());
        }
        let now = self.now().await?;
        let mut tx = self.engine.begin("give commands up").await?;
        let own = with_commands(&mut tx, messages).await?;
        let failures: Failures = own.iter().map(|message| (&message.key, &message.failure)).collect();
        let (mut vmacs, commands) = lock(&mut tx, &failures).await?;
        let failed = give_up_rows(&mut vmacs, &commands, &failures, now);
        write(&mut tx, &failed, now).await?;
        let closings: Vec<_> = commands.iter().filter_map(|command| closing(command, &failures, &failed)).collect();
        close(&mut tx, &closings, now).await?;
        let ended_well = ended_well(&mut tx, &own).await?;
        tx.commit("give commands up").await?;
        Ok(ended_well)
    }
}

/// Those of the messages that their keys' commands came with.
async fn with_commands<'a>(tx: &mut Tx, messages: &'a [FailedMessage]) -> Result<Vec<&'a FailedMessage>, StoreError> {
    let content = |message: &'a FailedMessage| (message.key.0.as_str(), message.body_hash.as_str());
    let known = known_commands(tx, messages.iter().map(content)).await?;
    Ok(messages.iter().filter(|message| known.contains(&content(message))).collect())
}

async fn ended_well(tx: &mut Tx, own: &[&FailedMessage]) -> Result<HashSet<(MessageKey, String)>, StoreError> {
    let asked = own.iter().map(|message| json!({"key": message.key})).collect();
    let sql = "SELECT message_key, body_hash FROM commands WHERE outcome IS NOT NULL AND outcome <> 'failed'
               AND message_key {in}SELECT e.value->>'key' FROM {rows}{/in}";
    let rows = tx.batch("read outcomes", sql, asked, Vec::new()).await?;
    rows.iter().map(|row| Ok((MessageKey(row.get("message_key")?), row.get("body_hash")?))).collect()
}

/// Rows first, then every open command that names or waits for one of them: the order of everybody.
async fn lock(tx: &mut Tx, failures: &Failures<'_>) -> Result<(HashMap<i64, Vmac>, Vec<OpenCommand>), StoreError> {
    let mut asked: Vec<Value> = failures.keys().map(|key| json!({"key": key})).collect();
    let sql = "SELECT DISTINCT vmac_id FROM commands WHERE outcome IS NULL AND vmac_id IS NOT NULL
               AND message_key {in}SELECT e.value->>'key' FROM {rows}{/in}";
    let ids = tx.batch("find rows", sql, asked.clone(), Vec::new()).await?;
    let ids: Vec<Value> =
        ids.iter().map(|row| Ok(json!({"id": row.get::<i64>("vmac_id")?}))).collect::<Result<_, StoreError>>()?;
    let vmacs = lock_vmacs(tx, ids.clone()).await?;
    asked.extend(ids);
    let sql = [
        "SELECT ",
        COLUMNS,
        " FROM commands WHERE outcome IS NULL
               AND (message_key {in}SELECT e.value->>'key' FROM {rows}{/in}
                    OR vmac_id {in}SELECT CAST(e.value->>'id' AS BIGINT) FROM {rows}{/in})
               ORDER BY message_key {for_update}",
    ]
    .concat();
    let commands = tx.batch("lock commands", &sql, asked, Vec::new()).await?;
    Ok((vmacs, commands.iter().map(OpenCommand::from_row).collect::<Result<_, _>>()?))
}

/// The rows that fail, and why: those that still want what a named command asks for. Pure.
fn give_up_rows(
    vmacs: &mut HashMap<i64, Vmac>,
    commands: &[OpenCommand],
    failures: &Failures<'_>,
    now: DateTime<Utc>,
) -> HashMap<i64, (Vmac, Failure)> {
    let mut failed = HashMap::new();
    for command in commands {
        let Some(failure) = failures.get(&command.key) else { continue };
        let Some(mut vmac) = command.vmac_id.and_then(|id| vmacs.remove(&id)) else { continue };
        if vmac.still_wants(command.action, command.server_id) && !vmac.switches_waiting().is_empty() {
            give_up(&mut vmac, failure, now);
            failed.insert(vmac.id, (vmac, (*failure).clone()));
        }
    }
    failed
}

fn give_up(vmac: &mut Vmac, failure: &Failure, now: DateTime<Utc>) {
    vmac.status = Status::Failed;
    vmac.failure_code = Some(failure.code.to_string());
    vmac.failure_text = Some(failure.text.clone());
    let desired = vmac.desired;
    for binding in vmac.switch_bindings.iter_mut().filter(|port| !port.is_met(desired)) {
        binding.state = BindingState::Failed;
        binding.error = Some(failure.text.clone());
        binding.at = now;
    }
}

async fn write(tx: &mut Tx, failed: &HashMap<i64, (Vmac, Failure)>, now: DateTime<Utc>) -> Result<(), StoreError> {
    let rows: Vec<&Vmac> = failed.values().map(|(vmac, _)| vmac).collect();
    let ids = rows.iter().map(|vmac| json!({"id": vmac.id})).collect();
    tx.batch("mark rows failed", UPDATE_VMACS, rows, args![now]).await?;
    let sql = "DELETE FROM switch_work WHERE vmac_id {in}SELECT CAST(e.value->>'id' AS BIGINT) FROM {rows}{/in}";
    tx.batch("drop work", sql, ids, Vec::new()).await.map(|_| ())
}

/// A named command ends by its own failure, another that asks for the same by its row's.
fn closing<'a>(
    command: &'a OpenCommand,
    failures: &Failures<'a>,
    failed: &'a HashMap<i64, (Vmac, Failure)>,
) -> Option<Closing<'a>> {
    let wants_it = |(vmac, _): &&(Vmac, Failure)| vmac.still_wants(command.action, command.server_id);
    let of_row = command.vmac_id.and_then(|id| failed.get(&id)).filter(wants_it);
    let failure = failures.get(&command.key).copied().or(of_row.map(|(_, failure)| failure))?;
    let vmac = of_row.map(|(vmac, _)| vmac);
    Some(Closing { command, outcome: Outcome::Failed, vmac, failure: Some(failure), superseded_by: None })
}
