//! Commands to be admitted, and what becomes of them.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use crate::domain::{Arrival, Command, Failure, Issued, MessageKey, SwitchName};
use crate::store::commands::outcome::CommandOutcome;
use crate::store::dead_letters::keep::DeadLetter;

/// A command to be admitted.
#[derive(Debug, Clone)]
pub struct Incoming {
    /// Its idempotency key.
    pub key: MessageKey,
    /// The message's id, if the producer gave one.
    pub message_id: Option<String>,
    /// What is asked for.
    pub command: Command,
    /// When it was issued.
    pub issued: Issued,
    /// How its message arrived. The commands of a group are in the order of arrival.
    pub arrival: Arrival,
    /// The body as it came.
    pub body: Vec<u8>,
    /// A hash of routing key and body: the same key must come with the same.
    pub body_hash: String,
    /// The identity of its message: the same for every copy.
    pub message_identity: String,
    /// The producer's correlation id.
    pub correlation_id: Option<String>,
    /// The producer's trace.
    pub traceparent: Option<String>,
    /// The producer's other headers.
    pub headers: Value,
    /// The property `timestamp` as it came.
    pub timestamp: Option<i64>,
    /// When it was issued, where vmacd stamped it, milliseconds since 1970.
    pub stamped_at_ms: Option<i64>,
    /// Which replay it is; 0 for none.
    pub replay_number: i64,
}

/// What became of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// Its row waits for these switches.
    Work {
        /// The row.
        vmac_id: i64,
        /// The switches.
        switches: Vec<SwitchName>,
    },
    /// It has its outcome; an event says so.
    Done {
        /// The outcome.
        outcome: CommandOutcome,
    },
    /// It cannot be done.
    Refused {
        /// Why.
        failure: Failure,
    },
    /// It waits to be admitted, and is retried automatically.
    Waits {
        /// Why.
        failure: Failure,
    },
}

/// Messages that came one after another, to be admitted together.
#[derive(Debug, Default)]
pub struct IntakeBatch {
    /// Those that are commands, in the order of their arrival.
    pub commands: Vec<Incoming>,
    /// The dead letters of those that are not.
    pub letters: Vec<DeadLetter>,
}

impl IntakeBatch {
    /// Each message by itself, in their order.
    pub fn one_by_one(self) -> impl Iterator<Item = Self> {
        let commands = self.commands.into_iter().map(|command| Self { commands: vec![command], letters: Vec::new() });
        let letters = self.letters.into_iter().map(|letter| Self { commands: Vec::new(), letters: vec![letter] });
        commands.chain(letters)
    }
}

/// The answer to each message of a group, by its content.
pub(super) type Answers<'a> = HashMap<(&'a MessageKey, &'a str), Admission>;

impl Incoming {
    /// Its dead letter, where it has no row in `commands`.
    pub fn letter(&self, failure: &Failure, now: DateTime<Utc>) -> DeadLetter {
        DeadLetter {
            burial_id: Uuid::now_v7().to_string(),
            message_identity: self.message_identity.clone(),
            message_id: self.message_id.clone(),
            message_key: Some(self.key.0.clone()),
            correlation_id: self.correlation_id.clone(),
            traceparent: self.traceparent.clone(),
            routing_key: self.command.action.routing_key().to_owned(),
            issued_at_ms: self.stamped_at_ms,
            timestamp: self.timestamp,
            arrival: Some(self.arrival.number),
            replay_number: self.replay_number,
            body: self.body.clone(),
            long_body: None,
            body_hash: self.body_hash.clone(),
            headers: self.headers.clone(),
            reason_code: failure.code,
            error_text: failure.text.clone(),
            attempts: 1,
            switch: None,
            server_id: Some(self.command.server_id),
            ip_address: Some(self.command.ip_address),
            first_failed_ms: now.timestamp_millis(),
            last_failed_ms: now.timestamp_millis(),
        }
    }

    /// What distinguishes it from the other messages of a group.
    pub(super) fn content(&self) -> (&MessageKey, &str) {
        (&self.key, &self.body_hash)
    }
}
