//! Dead letters, as the API shows them.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::views::Reason;
use crate::store::{DeadLetterCause, DeadLetterRow, FullDeadLetter};

/// A message whose request failed.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DeadLetterView {
    pub id: i64,
    /// `waiting`, `replayed` or `discarded`.
    state: String,
    reason: Reason,
    routing_key: String,
    message_id: Option<String>,
    correlation_id: Option<String>,
    server_id: Option<i64>,
    ip_address: Option<String>,
    switch: Option<String>,
    attempts: i64,
    replays: i64,
    /// How many messages it stands for: while it is waiting, copies of its message are counted here.
    copies: i64,
    first_failed_at: DateTime<Utc>,
    last_failed_at: DateTime<Utc>,
    /// The size of the whole body.
    body_bytes: i64,
    /// SHA-256 of the whole body, hexadecimal, where only its first 64 KiB are kept.
    body_sha256: Option<String>,
    /// The body as text, at most its first 64 KiB; bytes that are not UTF-8 are replaced; null in lists.
    body: Option<String>,
    /// The received body, at most its first 64 KiB, hexadecimal; null in lists.
    body_hex: Option<String>,
}

impl From<DeadLetterRow> for DeadLetterView {
    fn from(letter: DeadLetterRow) -> Self {
        Self {
            id: letter.id,
            state: letter.state,
            reason: Reason { code: letter.reason_code, text: letter.error_text },
            routing_key: letter.routing_key,
            message_id: letter.message_id,
            correlation_id: letter.correlation_id,
            server_id: letter.server_id,
            ip_address: letter.ip_address,
            switch: letter.switch.map(|switch| switch.to_string()),
            attempts: letter.attempts,
            replays: letter.replays,
            copies: letter.copies,
            first_failed_at: letter.first_failed_at,
            last_failed_at: letter.last_failed_at,
            body_bytes: letter.body_bytes,
            body_sha256: letter.body_sha256,
            body: None,
            body_hex: None,
        }
    }
}

impl From<FullDeadLetter> for DeadLetterView {
    fn from(letter: FullDeadLetter) -> Self {
        let body = Some(String::from_utf8_lossy(&letter.body).into_owned());
        Self { body, body_hex: Some(hex::encode(&letter.body)), ..letter.row.into() }
    }
}

/// Waiting dead letters with the same reason.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CauseView {
    /// The code, and the text of the newest one.
    reason: Reason,
    switch: Option<String>,
    /// Who can put it right: `here`, `switch`, `time`, or `producer`, where no replay helps.
    cure: String,
    count: i64,
    oldest_at: DateTime<Utc>,
    newest_at: DateTime<Utc>,
}

impl From<DeadLetterCause> for CauseView {
    fn from(cause: DeadLetterCause) -> Self {
        Self {
            cure: cause.cure().as_str().to_owned(),
            reason: Reason { code: cause.reason_code, text: cause.error_text },
            switch: cause.switch.map(|switch| switch.to_string()),
            count: cause.count,
            oldest_at: cause.oldest_at,
            newest_at: cause.newest_at,
        }
    }
}
