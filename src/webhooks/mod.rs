//! Sending events to webhooks: what is sent, how it is signed, and where it may go.
//!
//! `message` is the body in the form of Standard Webhooks (<https://www.standardwebhooks.com>) or, by `slack`, one sentence for
//! people; `signature` signs it; `resolver` has names resolved and refuses internal addresses; `client` sends; `answer` is what
//! came back. No rows: the worker takes them from the store and writes down what came of them.

mod answer;
mod client;
mod message;
mod resolver;
mod signature;
mod slack;

pub use answer::{Answer, AnswerKind};
pub use client::WebhookClient;
pub use message::{OutgoingEvent, WebhookMessage};
pub use resolver::check_target;
