//! The message of a request, and whether its outcome is this message's.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::broker::{self, Message, RequestIds};
use crate::cli::fault::{Fault, FaultKind};
use crate::domain::{Action, Code, Failure, MessageKey};
use crate::store::Store;

/// Time between two queries for the outcome.
pub const OUTCOME_POLL: Duration = Duration::from_millis(50);

/// The message as any producer would publish it.
pub fn message(action: Action, body: &Map<String, Value>, id: Option<String>) -> Result<Message, Fault> {
    let ids = RequestIds { message_id: id, ..RequestIds::default() };
    let message = broker::request(action, serde_json::to_vec(body)?, ids);
    message.map_err(|failure| Fault { kind: FaultKind::Input, ..failure.into() })
}

/// The failure if the key was used before for another request, so that its outcome is not this message's.
pub async fn reused(store: &Store, key: &MessageKey, message: &Message) -> Result<Option<Failure>, Fault> {
    let is_own = store.commands().get(key).await?.body_hash == message.content_hash();
    let text = || format!("{key} was used before for another request; leave --message-id out, or give a new one");
    Ok((!is_own).then(|| Failure::new(Code::MessageIdReused, text())))
}
