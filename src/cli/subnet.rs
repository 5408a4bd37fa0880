//! A request for every address of a subnet: one message, and an outcome for each address.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::{Map, Value};
use tokio::time::Instant;

use super::args::Target;
use super::dry_run;
use super::fault::Fault;
use super::look::{Cell, Tone};
use super::open::Session;
use super::output::{Output, or_dash};
use super::progress::Progress;
use super::request::{LOOK_EVERY, message, reused};
use crate::broker::{self, Message};
use crate::domain::{Action, BindableAddress, Mac, MessageKey, addresses_of};
use crate::store::{CommandOutcome, Outcome, Store};

/// What became of one address.
#[derive(Serialize)]
struct Answer {
    ip_address: BindableAddress,
    message_id: String,
    /// `accepted` where nobody waited, or not long enough.
    status: String,
    mac_address: Option<Mac>,
    code: Option<String>,
    text: Option<String>,
}

/// Publishes them, and waits for all of them if asked.
pub(super) async fn request(
    session: Session,
    output: Output,
    action: Action,
    target: Target,
    body: Map<String, Value>,
) -> Result<(), Fault> {
    let message = message(action, &body, target.message_id.clone())?;
    let subnet = target.which.subnet.as_deref().unwrap_or_default();
    let addresses = addresses_of(subnet).map_err(|error| Fault::input(error.to_string()))?;
    if target.dry_run {
        return dry_run::run(session, output, spread(&message)?, &target).await;
    }
    let messages = spread(&message)?;
    let keys: Vec<_> = messages.iter().filter_map(|message| message.message_id.clone()).map(MessageKey).collect();
    let store = session.store().await?;
    let message = message.stamped(store.time().await);
    session.broker(&store).await?.publish_command(message).await?;
    let outcomes = if target.wait { wait(&store, output, &keys, target.timeout).await? } else { HashMap::new() };
    let answers = answers(&store, &addresses, &messages, &outcomes).await?;
    output.list(&answers, &["ADDRESS", "STATUS", "MAC", "REASON"], row)?;
    verdict(&answers, target.wait)
}

/// The messages that a worker makes of it.
fn spread(message: &Message) -> Result<Vec<Message>, Fault> {
    Ok(broker::spread(message)?.map(|spread| spread.messages(message).collect()).unwrap_or_default())
}

async fn wait(
    store: &Store,
    output: Output,
    keys: &[MessageKey],
    timeout: std::time::Duration,
) -> Result<HashMap<MessageKey, CommandOutcome>, Fault> {
    let deadline = Instant::now() + timeout;
    let progress = Progress::new(output, "waiting", keys.len());
    loop {
        let outcomes = store.outcomes(keys).await?;
        progress.at(outcomes.len());
        if outcomes.len() == keys.len() || Instant::now() >= deadline {
            return Ok(outcomes);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
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
            Some(id) => Some(store.vmac(id).await?.mac_address),
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
        (None, "accepted") => Tone::Waiting,
        (None, _) => Tone::Good,
    };
    vec![
        answer.ip_address.to_string().into(),
        Cell::new(tone, answer.status.clone()),
        or_dash(answer.mac_address.as_ref()).into(),
        or_dash(answer.text.as_ref()).into(),
    ]
}

fn verdict(answers: &[Answer], waited: bool) -> Result<(), Fault> {
    let failed = answers.iter().filter(|answer| answer.code.is_some()).count();
    let open = answers.iter().filter(|answer| waited && answer.status == "accepted").count();
    match (failed, open) {
        (0, 0) => Ok(()),
        (0, open) => {
            let text = format!("{open} of {} have no outcome yet; they go on without you", answers.len());
            Err(Fault::service(anyhow::Error::msg(text)).with_hint("is `vmacd serve` running?"))
        }
        (failed, _) => Err(Fault::input(format!("{failed} of {} were refused", answers.len()))),
    }
}
