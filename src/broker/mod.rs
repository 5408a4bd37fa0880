//! The messages: RabbitMQ, or a queue in the database where there is no broker.
//!
//! Promises of both, held by one conformance suite: a published message is durable once publishing returns; commands are
//! delivered in the order in which they were published, to one consumer at a time, at least once; what is not
//! acknowledged comes again in that order when its consumer's session ends. `message`, `body` and `parse` are the wire
//! format, `topology` the names; `request` and `replay` publish commands from within this program.

mod amqp;
mod backend;
mod body;
#[cfg(test)]
mod body_tests;
mod content_encoding;
mod delivery;
mod embedded;
mod error;
mod headers;
mod message;
mod parse;
mod replay;
mod request;
mod revokes;
mod subnet;
mod topology;

pub use amqp::{AmqpTarget, AmqpTls, Archive, ArchiveReader, ArchiveStart, Archived, ClientIdentity, IdentityError};
pub use backend::{Broker, BrokerSettings, Consumer, Prefetch};
pub use body::{define_schema, root_schema};
pub use delivery::{Batch, DeadReason, Delivery, Receipt, new_burial_id};
pub use error::BrokerError;
pub use message::{EventMessage, Message};
pub use parse::parse_command;
pub use replay::{ReplayError, message_of, replay};
pub use request::{RequestIds, request};
pub use revokes::revokes;
pub use subnet::expand_subnet;
pub use topology::{COMMANDS, EVENTS, QueueKind};
