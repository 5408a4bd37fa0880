//! A request for every address of a subnet: one message, and an outcome for each address.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::{Map, Value};
use tokio::time::Instant;

use super::dry_run;
use super::message::{OUTCOME_POLL, message, reused};
use super::ownership;
use super::wait_reason::{WaitReason, WaitReporter};
use crate::broker::{self, Message};
use crate::cli::app_env::AppEnv;
use crate::cli::args::Target;
use crate::cli::fault::Fault;
use crate::cli::terminal::escape::or_dash;
use crate::cli::ui::output::Output;
use crate::cli::ui::style::{Cell, Tone};
use crate::domain::{Action, BindableAddress, Code, Mac, MessageKey, addresses_of};
use crate::store::{CommandOutcome, Outcome, Store};

const NEVER_BOUND: &str = "never_bound";

/// What became of one address.
#[derive(Serialize)]
struct Answer {
    ip_address: BindableAddress,
    message_id: String,
    /// `accepted` where nobody waited, or not long enough; `never_bound` where there was nothing to revoke.
    status: String,
    mac_address: Option<Mac>,
    code: Option<String>,
    text: Option<String>,
}

/// Publishes them, and waits for all of them if asked.
pub async fn request(
    env: AppEnv,
    output: Output,
    action: Action,
    target: Target,
    body: Map<String, Value>,
) -> Result<(), Fault> {
    let message = message(action, &body, target.message_id.clone())?;
    let subnet = target.which.subnet.as_deref().unwrap_or_default();
    let addresses = addresses_of(subnet).map_err(|error| Fault::input(error.to_string()))?;
    if target.dry_run {
        return dry_run::run(env, output, expanded(&message)?, &target).await;
    }
    let messages = expanded(&message)?;
    let keys: Vec<_> = messages.iter().filter_map(|message| message.message_id.clone()).map(MessageKey).collect();
    let store = env.store().await?;
    let message = message.stamped(store.time().await);
    env.broker(&store).await?.publish_command(message).await?;
    let outcomes = if target.wait { wait(&store, output, &keys, target.timeout).await? } else { HashMap::new() };
    let mut answers = answers(&store, &addresses, &messages, &outcomes).await?;
    if action == Action::Revoke {
        mark_never_bound(&store, &mut answers, target.server).await?;
    }
    output.list(&answers, &["ADDRESS", "STATUS", "MAC", "REASON"], row)?;
    let open = keys.iter().find(|key| target.wait && !outcomes.contains_key(key));
    let reason = match open {
        Some(key) => Some(WaitReason::find(&store, key).await?),
        None => None,
    };
    verdict(&answers, reason, target.server)
}

/// The messages that a worker makes of it.
fn expanded(message: &Message) -> Result<Vec<Message>, Fault> {
    Ok(broker::expand_subnet(message)?.map(|commands| commands.messages(message).collect()).unwrap_or_default())
}

async fn wait(
    store: &Store,
    output: Output,
    keys: &[MessageKey],
    timeout: std::time::Duration,
) -> Result<HashMap<MessageKey, CommandOutcome>, Fault> {
    let deadline = Instant::now() + timeout;
    let mut reporter = WaitReporter::new(output);
    loop {
        let outcomes = store.commands().outcomes(keys).await?;
        let open = keys.iter().find(|key| !outcomes.contains_key(key));
        match open.filter(|_| Instant::now() < deadline) {
            Some(key) => reporter.report(store, key, Some((outcomes.len(), keys.len()))).await,
            None => return Ok(outcomes),
        }
        tokio::time::sleep(OUTCOME_POLL).await;
    }
}

/// Marks the addresses that the server never had: their revoke found nothing.
async fn mark_never_bound(store: &Store, answers: &mut [Answer], server: i64) -> Result<(), Fault> {
    let is_empty = |answer: &&mut Answer| answer.status == Outcome::Revoked.as_str() && answer.mac_address.is_none();
    for answer in answers.iter_mut().filter(is_empty) {
        if ownership::former_vmac(store, server, &answer.ip_address.to_string()).await?.is_none() {
            answer.status = NEVER_BOUND.to_owned();
            answer.text = Some(format!("server {server} never had a virtual MAC on this address"));
        }
    }
    Ok(())
}

async fn answers(
    store: &Store,
    addresses: &[BindableAddress],
    messages: &[Message],
    outcomes: &HashMap<MessageKey, CommandOutcome>,
) -> Result<Vec<Answer>, Fault> {
    let mut answers = Vec::new();
    for (address, message) in addresses.iter().zip(messages) {
        let key = MessageKey(message.message_id.clone().unwrap_or_default());
        let outcome = outcomes.get(&key);
        let reused = if outcome.is_some() { reused(store, &key, message).await? } else { None };
        let failure = reused.or(outcome.and_then(CommandOutcome::failure));
        let vmac_id = outcome.filter(|_| failure.is_none()).and_then(|outcome| outcome.vmac_id);
        let mac_address = match vmac_id {
            Some(id) => Some(store.vmacs().get(id).await?.mac_address),
            None => None,
        };
        answers.push(Answer {
            ip_address: *address,
            message_id: key.to_string(),
            status: match (&failure, outcome) {
                (Some(_), _) => Outcome::Failed.to_string(),
                (None, outcome) => outcome.map_or_else(|| "accepted".to_owned(), |outcome| outcome.status.to_string()),
            },
            mac_address,
            code: failure.as_ref().map(|failure| failure.code.to_string()),
            text: failure.map(|failure| failure.text),
        });
    }
    Ok(answers)
}

fn row(answer: &Answer) -> Vec<Cell> {
    let tone = match (&answer.code, answer.status.as_str()) {
        (Some(_), _) => Tone::Bad,
        (None, "accepted" | NEVER_BOUND) => Tone::Waiting,
        (None, _) => Tone::Good,
    };
    vec![
        answer.ip_address.to_string().into(),
        Cell::new(tone, answer.status.clone()),
        or_dash(answer.mac_address.as_ref()).into(),
        or_dash(answer.text.as_ref()).into(),
    ]
}

fn verdict(answers: &[Answer], waits_for: Option<WaitReason>, server: i64) -> Result<(), Fault> {
    let failed = answers.iter().filter(|answer| answer.code.is_some()).count();
    let open = answers.iter().filter(|answer| answer.status == "accepted").count();
    match (failed, waits_for) {
        (0, None) if answers.iter().all(|answer| answer.status == NEVER_BOUND) => {
            let text =
                format!("server {server} never had a virtual MAC on any of the {}; nothing was revoked", answers.len());
            Err(Fault::input_with_code(Code::NotBound.as_str(), text))
        }
        (0, None) => Ok(()),
        (0, Some(WaitReason { text, hint })) => {
            let text = format!("{open} of {} requests are still running. {text}", answers.len());
            Err(Fault::service(anyhow::Error::msg(text)).with_hint(hint))
        }
        (failed, _) => Err(Fault::input(format!("{failed} of {} requests were refused", answers.len()))),
    }
}
