//! What can go wrong between the worker and its broker.

use std::sync::Arc;

use super::amqp::AmqpError;
use crate::store::StoreError;

/// An error of the broker. Never shows a URL's password.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BrokerError {
    /// RabbitMQ refused, and said why.
    #[error("RabbitMQ refused to {what}: {said}")]
    Refused {
        /// What it was asked.
        what: &'static str,
        /// The reply code of AMQP 0-9-1, such as 403.
        code: u16,
        /// What it said.
        said: String,
    },
    /// An exchange or queue that the login may not declare is not there.
    #[error("RabbitMQ has no {what} {name}, and this login may not declare it ({said})")]
    Missing {
        /// An exchange or a queue.
        what: &'static str,
        /// Its name.
        name: String,
        /// What RabbitMQ said when it was to be declared.
        said: String,
    },
    /// RabbitMQ's certificate is not trusted.
    #[error("RabbitMQ's certificate is not accepted: {said}")]
    Certificate {
        /// Why.
        said: String,
    },
    /// The client's certificate cannot be used, or RabbitMQ does not accept it.
    #[error("the client certificate is not accepted: {said}")]
    ClientCertificate {
        /// Why.
        said: String,
    },
    /// RabbitMQ answered with an error, or not at all.
    #[error("RabbitMQ failed to {what}")]
    Amqp {
        /// What it was asked.
        what: &'static str,
        /// Why.
        source: Arc<AmqpError>,
    },
    /// RabbitMQ did not answer in time.
    #[error("RabbitMQ did not {what} within {after_ms} ms")]
    Timeout {
        /// What it was asked.
        what: &'static str,
        /// The limit.
        after_ms: u128,
    },
    /// RabbitMQ took a message back: its queue is full or missing.
    #[error("RabbitMQ did not take a message for {exchange} ({why})")]
    NotTaken {
        /// The exchange.
        exchange: String,
        /// What it said.
        why: String,
    },
    /// RabbitMQ cancelled the reader, as it does when the archive is deleted, or sent a message without its place in the stream.
    #[error("RabbitMQ ended the reading of the archive of commands")]
    ArchiveEnded,
    /// The embedded queue's database failed.
    #[error("the embedded queue failed")]
    Store(#[from] StoreError),
}

impl BrokerError {
    /// True where somebody must change something; other errors may pass.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Refused { .. } | Self::Missing { .. } | Self::Certificate { .. } | Self::ClientCertificate { .. } => {
                true
            }
            Self::Amqp { .. } | Self::Timeout { .. } | Self::NotTaken { .. } | Self::ArchiveEnded | Self::Store(_) => {
                false
            }
        }
    }
}
