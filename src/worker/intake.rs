//! Taking messages in: a batch of deliveries becomes one database transaction.

use std::sync::Arc;
use std::time::Duration;

use rand::rngs::StdRng;

use super::context::Context;
use super::settle::{Held, HeldCommand, Verdict, lane_full, settle};
use super::traces::{self, MessageTrace};
use crate::broker::{Consumer, Delivery, Message, parse_command, spread};
use crate::domain::{Arrival, Code, Command, Failure, FailureClass, Issued};
use crate::metrics::DATABASE;
use crate::store::{Admission, Incoming, StoreError};

/// Runs until the consumer ends, which it does once it was stopped and is drained.
pub(super) async fn run(context: Arc<Context>, mut consumer: Consumer) {
    let worker = &context.settings.worker;
    let linger = Duration::from_millis(worker.intake_linger_ms);
    let mut stopping = std::pin::pin!(context.stopping.cancelled());
    loop {
        let batch = tokio::select! {
            () = &mut stopping => break,
            batch = consumer.next_batch(worker.intake_batch_max, linger) => batch,
        };
        match batch {
            Some(deliveries) => take_in(&context, deliveries).await,
            None => return,
        }
    }
    consumer.stop().await;
}

/// A command together with the message that carries it.
struct Taken {
    held: Held,
    incoming: Incoming,
}

async fn take_in(context: &Arc<Context>, deliveries: Vec<Delivery>) {
    let _admitting = context.arrivals.admitting(deliveries.len());
    let now_ms = context.store.time().await.timestamp_millis();
    let since = context.store.age_clock();
    let mut commands = Vec::with_capacity(deliveries.len());
    let mut settled: Vec<(Held, Verdict)> = Vec::new();
    context.metrics.taken_in(deliveries.len());
    for delivery in deliveries {
        let arrival = context.turnstile.pass(delivery.message.arrival, now_ms);
        let (held, command) = read(delivery, arrival, now_ms, since);
        match command {
            Ok(incoming) => commands.push(Taken { held, incoming }),
            Err(verdict) => settled.push((held, verdict)),
        }
    }
    let held = commands.iter().map(|taken| &taken.held).chain(settled.iter().map(|(held, _)| held));
    let _intake = traces::intake(commands.len() + settled.len(), held);
    settle(context, settled);
    admit(context, commands).await;
}

/// Reads one delivery, and stamps on the message what its first arrival decides.
fn read(delivery: Delivery, arrival: Arrival, now_ms: i64, since: Duration) -> (Held, Result<Incoming, Verdict>) {
    let Delivery { mut message, receipt, .. } = delivery;
    let trace = MessageTrace::begin(&message);
    let first_seen_ms = *message.first_seen_ms.get_or_insert(now_ms);
    let incoming = match one_command(&mut message, arrival, now_ms) {
        Ok(incoming) => incoming,
        Err(verdict) => return (Held { message, receipt, command: None, first_seen_ms, since, trace }, Err(verdict)),
    };
    let command = HeldCommand {
        key: incoming.key.clone(),
        body_hash: incoming.body_hash.clone(),
        action: incoming.command.action,
        server_id: incoming.command.server_id,
        ip: incoming.command.ip_address,
    };
    (Held { message, receipt, command: Some(command), first_seen_ms, since, trace }, Ok(incoming))
}

/// The command of a message, or what becomes of one that is none, or many.
fn one_command(message: &mut Message, arrival: Arrival, now_ms: i64) -> Result<Incoming, Verdict> {
    let dead = |failure| Verdict::Dead(failure, None);
    if let Some(spread) = spread(message).map_err(dead)? {
        stamp(message, arrival, now_ms);
        return Err(Verdict::Spread(Arc::new(spread)));
    }
    let incoming = read_command(message, arrival).map_err(dead)?;
    stamp(message, arrival, now_ms);
    Ok(incoming)
}

/// What its first arrival decides travels with a message that is published again before its command is known.
fn stamp(message: &mut Message, arrival: Arrival, now_ms: i64) {
    message.arrival = Some(arrival.number);
    match message.issued() {
        Issued::Unsaid => message.issued_at_ms = Some(now_ms),
        // A broker that stamps what passes may stamp it anew.
        Issued::Within { from_ms, until_ms } if from_ms == until_ms => message.issued_at_ms = Some(from_ms),
        Issued::Within { .. } | Issued::At { .. } => {}
    }
}

/// Reads the command that a message carries, and stamps its key on the message.
///
/// # Errors
/// What a dead letter would say.
pub(super) fn read_command(message: &mut Message, arrival: Arrival) -> Result<Incoming, Failure> {
    let command = parse_command(message)?;
    Ok(incoming(message, command, arrival))
}

fn incoming(message: &mut Message, command: Command, arrival: Arrival) -> Incoming {
    let issued = command.issued.unwrap_or_else(|| message.issued());
    // A stamp of vmacd's own tells no two messages apart.
    let said = if command.issued.is_none() && message.issued_at_ms.is_some() { Issued::Unsaid } else { issued };
    let key = command.key(message.message_id.as_deref().or(message.key.as_deref()), said, arrival.number);
    message.key = Some(key.0.clone());
    Incoming {
        key,
        message_id: message.message_id.clone(),
        issued,
        arrival,
        body_hash: message.content_hash(),
        body: message.body.clone(),
        correlation_id: message.correlation_id.clone(),
        traceparent: message.traceparent.clone(),
        replay_number: message.replay_number,
        attempt: i64::from(message.attempt),
        command,
    }
}

/// Admits a batch; while the database does not answer, nothing more is taken in, which is what
/// bounds the memory. A batch that the database refuses is admitted one by one, so that the message
/// at fault stands alone.
async fn admit(context: &Arc<Context>, taken: Vec<Taken>) {
    if taken.is_empty() {
        return;
    }
    let (held, incoming): (Vec<_>, Vec<_>) = taken.into_iter().map(|taken| (taken.held, taken.incoming)).unzip();
    match admit_patiently(context, &incoming).await {
        Ok(admissions) => route(context, held, admissions),
        Err(_) if incoming.len() > 1 => {
            for (held, incoming) in held.into_iter().zip(incoming) {
                Box::pin(admit(context, vec![Taken { held, incoming }])).await;
            }
        }
        Err(error) if context.stopping.is_cancelled() => {
            tracing::warn!(error = super::chain(&error), "stopping with messages not taken in; they are handed back");
            settle(context, held.into_iter().map(|held| (held, Verdict::HandBack)).collect());
        }
        Err(error) => {
            let failure =
                Failure::new(Code::DatabaseTrouble, format!("the database refused it: {}", super::chain(&error)));
            settle(context, held.into_iter().map(|held| (held, Verdict::Retry(failure.clone(), None))).collect());
        }
    }
}

async fn admit_patiently(context: &Context, incoming: &[Incoming]) -> Result<Vec<Admission>, StoreError> {
    let mut delay = Duration::from_millis(50);
    let mut rng: StdRng = rand::make_rng();
    loop {
        match context.store.admit(incoming, &mut rng).await {
            Err(error) if error.is_transient() && context.pause(delay).await => {
                tracing::warn!(error = super::chain(&error), "the database does not take messages in; trying again");
                context.metrics.trouble(DATABASE);
                delay = (delay * 2).min(Duration::from_secs(5));
            }
            result => return result,
        }
    }
}

/// Sends every message on to where its admission says.
fn route(context: &Arc<Context>, held: Vec<Held>, admissions: Vec<Admission>) {
    let mut settled = Vec::new();
    for (held, admission) in held.into_iter().zip(admissions) {
        match admission {
            Admission::Work { vmac_id, switches, .. } => match hold(context, held, vmac_id, switches) {
                None => {}
                Some(refused) => settled.push(refused),
            },
            Admission::Done { .. } => settled.push((held, Verdict::Done)),
            Admission::Refused { failure } => settled.push((held, Verdict::Dead(failure, None))),
            Admission::NotNow { failure } if failure.class() == FailureClass::Transient => {
                settled.push((held, Verdict::Retry(failure, None)));
            }
            Admission::NotNow { failure } => settled.push((held, Verdict::Defer(failure, None))),
        }
    }
    context.events_due.notify_one();
    settle(context, settled);
}

/// Holds a message until its outcome stands, unless its switch's lane is full.
fn hold(
    context: &Arc<Context>,
    mut held: Held,
    vmac_id: i64,
    switches: Vec<crate::domain::SwitchName>,
) -> Option<(Held, Verdict)> {
    let Some(key) = held.command.as_ref().map(|command| command.key.clone()) else {
        return Some((held, Verdict::HandBack));
    };
    switches.iter().for_each(|switch| context.arrivals.note(switch));
    let limit = context.settings.worker.lane_messages_max;
    let full = {
        let waiting = context.waiting();
        switches.iter().find(|switch| waiting.waiting_for(switch) >= limit).cloned()
    };
    if let Some(switch) = full {
        // The row is written: the next commit carries it, whoever holds its message.
        return Some((held, Verdict::Defer(lane_full(&switch), Some(switch))));
    }
    held.trace.waits();
    context.waiting().add(key, vmac_id, switches.clone(), held);
    switches.iter().for_each(|switch| context.lanes.poke(context, switch));
    None
}
