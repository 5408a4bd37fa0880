//! What comes of a request.

use crate::sim::config::edit::SyntaxError;
use crate::sim::device::Refused;
use crate::sim::device::reply_error::RpcError;

/// What the session does with a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The body of the reply.
    Reply(String),
    /// The body of the last reply: the session ends after it.
    Last(String),
    /// The start of a reply; the connection is cut within it.
    Truncated(String),
    /// No reply: the connection is cut.
    Cut,
}

/// A reply, or the errors that make one.
pub(crate) type Answer = Result<Outcome, Refused>;

pub(crate) const OK: &str = "<ok/>\n";

/// An answer that is just `body`.
pub(crate) fn reply(body: impl Into<String>) -> Answer {
    Ok(Outcome::Reply(body.into()))
}

/// The answer to an RPC or element the switch does not know.
pub(crate) fn unknown(name: &str) -> RpcError {
    RpcError::syntax(&SyntaxError::at(name))
}
