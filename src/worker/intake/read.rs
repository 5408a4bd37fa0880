//! Reading messages: the commands that they carry, and dead letters for what is not a command.

use chrono::{DateTime, Utc};

use crate::broker::{DeadReason, Delivery, Message, expand_subnet, new_burial_id, parse_command};
use crate::domain::{Arrival, Code, Command, Failure, Issued, TraceParent, chain};
use crate::store::{DeadLetter, Incoming, IntakeBatch, StoreError};
use crate::worker::intake::arrival_numbers::ArrivalNumbers;
use crate::worker::intake::dead_queue::dead_letter;

/// Reads each message: one or several commands, or a dead letter.
pub(super) fn read_all(deliveries: Vec<Delivery>, arrival_numbers: &ArrivalNumbers, now: DateTime<Utc>) -> IntakeBatch {
    let now_ms = now.timestamp_millis();
    let mut batch = IntakeBatch::default();
    for delivery in deliveries {
        if delivery.given_up {
            batch.letters.push(dead_letter(delivery.dead_reason(now), delivery.message));
            continue;
        }
        let IntakeBatch { commands, letters } = read_message(delivery.message, arrival_numbers, now_ms);
        letters.iter().for_each(say_refused);
        batch.commands.extend(commands);
        batch.letters.extend(letters);
    }
    batch
}

/// Logs that a message is not a command.
pub(super) fn say_refused(letter: &DeadLetter) {
    let trace = letter.traceparent.as_deref().and_then(|trace| trace.parse::<TraceParent>().ok());
    tracing::warn!(
        code = %letter.reason_code, error = letter.error_text, message_id = letter.message_id,
        trace_id = trace.map(|trace| tracing::field::display(trace.trace_id)),
        "a message is not a command; it becomes a dead letter"
    );
}

/// Reads one message that arrives now.
pub(super) fn read_message(mut message: Message, arrival_numbers: &ArrivalNumbers, now_ms: i64) -> IntakeBatch {
    let arrival = arrival_numbers.next(message.arrival, now_ms);
    let mut batch = IntakeBatch::default();
    match read(&mut message, arrival, now_ms) {
        Ok(commands) => batch.commands = commands,
        Err(failure) => batch.letters.push(letter(message, failure, now_ms)),
    }
    batch
}

/// The letters of what the database refuses to admit.
pub(super) fn refused_letters(part: IntakeBatch, error: &StoreError, now: DateTime<Utc>) -> Vec<DeadLetter> {
    let failure = Failure::new(Code::DatabaseTrouble, format!("the database refused it: {}", chain(error)));
    let of_command = |incoming: Incoming| incoming.letter(&failure, now);
    part.commands.into_iter().map(of_command).chain(part.letters).collect()
}

/// The commands of a message: one, or one for each address of a subnet.
fn read(message: &mut Message, arrival: Arrival, now_ms: i64) -> Result<Vec<Incoming>, Failure> {
    let Some(commands) = expand_subnet(message)? else {
        let mut incoming = read_command(message, arrival)?;
        stamp(message, arrival, now_ms);
        incoming.stamped_at_ms = message.issued_at_ms;
        return Ok(vec![incoming]);
    };
    stamp(message, arrival, now_ms);
    commands.messages(message).map(|mut one| read_command(&mut one, arrival)).collect()
}

/// What is decided on its first arrival stays with a message, also when it is replayed.
fn stamp(message: &mut Message, arrival: Arrival, now_ms: i64) {
    message.arrival = Some(arrival.number);
    match message.issued() {
        Issued::Unsaid => message.issued_at_ms = Some(now_ms),
        // A broker that stamps messages may stamp this one again when it is replayed.
        Issued::Within { from_ms, until_ms } if from_ms == until_ms => message.issued_at_ms = Some(from_ms),
        Issued::Within { .. } | Issued::At { .. } => {}
    }
}

/// Reads the command that a message carries, and stamps its key on the message.
///
/// # Errors
/// The reason for a dead letter.
pub(in crate::worker) fn read_command(message: &mut Message, arrival: Arrival) -> Result<Incoming, Failure> {
    let command = parse_command(message)?;
    Ok(incoming(message, command, arrival))
}

fn incoming(message: &mut Message, command: Command, arrival: Arrival) -> Incoming {
    let issued = command.issued.unwrap_or_else(|| message.issued());
    // A time that vmacd stamped itself does not distinguish messages.
    let said = if command.issued.is_none() && message.issued_at_ms.is_some() { Issued::Unsaid } else { issued };
    let key = command.key(message.message_id.as_deref().or(message.key.as_deref()), said, arrival.number);
    message.key = Some(key.0.clone());
    Incoming {
        key,
        message_id: message.message_id.clone(),
        issued,
        arrival,
        body_hash: message.content_hash(),
        message_identity: message.identity(),
        body: message.body.clone(),
        correlation_id: message.correlation_id.clone(),
        traceparent: message.traceparent.clone(),
        headers: message.headers.clone().into(),
        timestamp: message.timestamp,
        stamped_at_ms: message.issued_at_ms,
        replay_number: message.replay_number,
        command,
    }
}

/// The dead letter of a message that is not a command.
fn letter(message: Message, failure: Failure, now_ms: i64) -> DeadLetter {
    let reason = DeadReason {
        burial_id: new_burial_id(),
        code: failure.code,
        text: failure.text,
        attempts: 1,
        switch: None,
        server_id: None,
        ip: None,
        first_failed_ms: now_ms,
        last_failed_ms: now_ms,
    };
    dead_letter(reason, message)
}
