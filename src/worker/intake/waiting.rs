//! Retries commands that could not be admitted yet. Any worker does; they keep their place in the order.

use std::sync::Arc;

use rand::rngs::StdRng;

use crate::broker::Message;
use crate::domain::Arrival;
use crate::store::{Incoming, StoreError, WaitingCommand};
use crate::worker::context::Context;
use crate::worker::intake::read::read_command;

/// Commands tried in one round; the rest follows in the next.
const COMMANDS_MAX: i64 = 500;

/// Admits what is due.
///
/// # Errors
/// When the database fails; the commands are then tried again when their claim has run out.
pub(in crate::worker) async fn try_again(context: &Arc<Context>) -> Result<(), StoreError> {
    let waiting = context.store.intake().claim_waiting(COMMANDS_MAX).await?;
    let group: Vec<Incoming> = waiting.into_iter().filter_map(incoming).collect();
    let mut rng: StdRng = rand::make_rng();
    let admissions = context.store.intake().admit(&group, &mut rng).await?;
    for admission in &admissions {
        context.admitted(admission);
    }
    context.wrote_events();
    Ok(())
}

/// The command as it was received. It could be read then, so it can be read now.
fn incoming(waiting: WaitingCommand) -> Option<Incoming> {
    let WaitingCommand { command, body, headers, timestamp, stamped_at_ms } = waiting;
    let key = command.key.0.clone();
    let arrival = Arrival { number: command.position.arrival, is_kept: true };
    let mut message = Message {
        message_id: command.message_id,
        correlation_id: command.correlation_id,
        traceparent: command.traceparent,
        routing_key: command.action.routing_key().to_owned(),
        body,
        key: Some(key.clone()),
        timestamp,
        issued_at_ms: stamped_at_ms,
        arrival: Some(arrival.number),
        replay_number: command.replay_number,
        headers: headers.as_object().cloned().unwrap_or_default(),
        ..Message::default()
    };
    let read = read_command(&mut message, arrival);
    read.inspect_err(|failure| tracing::error!(key, code = %failure.code, "a waiting command cannot be read")).ok()
}
