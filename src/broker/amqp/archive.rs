//! The archive: a stream bound to the exchange of commands, which keeps each of them for days, also after the queue has handed
//! it out. It is what lost rows are made from again.
//!
//! It is declared over connections of its own: a broker that has no streams may end the connection, and the work goes on
//! without an archive.

use std::sync::PoisonError;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::StreamExt;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Connection, Consumer as LapinConsumer};

use super::connect::{close, connect};
use super::control::{Control, text};
use super::{Shared, bounded, declare, wire};
use crate::broker::error::BrokerError;
use crate::broker::message::Message;
use crate::domain::chain;

/// Messages under way from the stream at once, of at most 64 KiB each; a stream needs a prefetch and acknowledgements.
const PREFETCH: u16 = 500;
/// They are acknowledged so many at a time.
const ACK_EVERY: u32 = 100;
/// The header in which the broker tells a message's place in the stream.
const OFFSET: &str = "x-stream-offset";

/// Where reading begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArchiveStart {
    /// The oldest message that is kept.
    First,
    /// The last messages that were written together.
    Last,
    /// This place, or the oldest message where it is not kept any more.
    Offset(i64),
    /// About this time, seconds since 1970; some from before it may come.
    Since(u64),
}

/// A message of the archive.
#[derive(Debug)]
pub struct Archived {
    /// Its place: each message has the next number.
    pub offset: i64,
    /// The message, as the queue had handed it out.
    pub message: Message,
}

/// The archive, over a connection of its own.
pub struct Archive {
    connection: Connection,
    name: String,
    timeout: Duration,
}

/// Reads the archive from one place on.
pub struct ArchiveReader {
    channel: Channel,
    stream: LapinConsumer,
    timeout: Duration,
    unacknowledged: u32,
}

impl Shared {
    /// Declares the archive, if there is to be one. What is wrong is logged once, and stops nothing; true where commands are
    /// kept.
    pub(super) async fn keep_archive(&self) -> bool {
        if self.archive_age.is_zero() {
            return false;
        }
        let problem = self.declare_archive().await.err().map(|error| chain(&error));
        let mut said = self.archive_problem.lock().unwrap_or_else(PoisonError::into_inner);
        match &problem {
            Some(problem) if said.as_ref() != Some(problem) => tracing::warn!(
                archive = self.topology.archive(),
                problem,
                "commands are not archived: what a database loses when it fails over or is restored cannot be read again. \
                 broker.archive_age_max_ms = 0 says that this is meant"
            ),
            None if said.is_some() => tracing::info!("commands are archived again"),
            _ => {}
        }
        let is_kept = problem.is_none();
        *said = problem;
        is_kept
    }

    async fn declare_archive(&self) -> Result<(), BrokerError> {
        let connection = connect(&self.target, self.rpc_timeout).await?;
        let control = Control { connection: &connection, timeout: self.rpc_timeout, in_hand: None };
        let declared = declare::declare_archive(&control, &self.topology, self.archive_age).await;
        close(&connection).await;
        declared
    }

    /// Connects to the archive; none where nothing is archived.
    pub(super) async fn archive(&self) -> Result<Option<Archive>, BrokerError> {
        if !self.keep_archive().await {
            return Ok(None);
        }
        let connection = connect(&self.target, self.rpc_timeout).await?;
        Ok(Some(Archive { connection, name: self.topology.archive(), timeout: self.rpc_timeout }))
    }
}

impl Archive {
    /// Reads from there on.
    ///
    /// # Errors
    /// When the broker refuses, or does not answer.
    pub async fn read(&self, start: ArchiveStart) -> Result<ArchiveReader, BrokerError> {
        let channel = bounded("open a channel", self.timeout, self.connection.create_channel()).await?;
        let qos = channel.basic_qos(PREFETCH, BasicQosOptions { global: false });
        bounded("set the prefetch", self.timeout, qos).await?;
        let mut arguments = FieldTable::default();
        arguments.insert(OFFSET.into(), start.argument());
        let name = self.name.as_str();
        let consume = channel.basic_consume(name.into(), "vmacd".into(), BasicConsumeOptions::default(), arguments);
        let stream = bounded("read the archive", self.timeout, consume).await?;
        Ok(ArchiveReader { channel, stream, timeout: self.timeout, unacknowledged: 0 })
    }

    /// Ends the connection.
    pub async fn close(self) {
        close(&self.connection).await;
    }
}

impl ArchiveStart {
    /// About this time.
    pub fn since(time: DateTime<Utc>) -> Self {
        Self::Since(u64::try_from(time.timestamp()).unwrap_or(0))
    }

    fn argument(self) -> AMQPValue {
        match self {
            Self::First => text("first"),
            Self::Last => text("last"),
            Self::Offset(offset) => AMQPValue::LongLongInt(offset.max(0)),
            Self::Since(seconds) => AMQPValue::Timestamp(seconds),
        }
    }
}

impl ArchiveReader {
    /// The next message; none where none comes within this time.
    ///
    /// # Errors
    /// When the session with the broker ends.
    pub async fn next(&mut self, patience: Duration) -> Result<Option<Archived>, BrokerError> {
        let Ok(next) = tokio::time::timeout(patience, self.stream.next()).await else { return Ok(None) };
        let ended = || BrokerError::ArchiveEnded;
        let delivery = next.ok_or_else(ended)?.map_err(|source| super::failed("read the archive", source))?;
        let headers = delivery.properties.headers().as_ref();
        let mut fields = headers.into_iter().flat_map(|headers| headers.inner());
        let offset = fields.find(|(name, _)| name.as_str() == OFFSET).and_then(|(_, value)| as_offset(value));
        let offset = offset.ok_or_else(ended)?;
        let tag = delivery.delivery_tag;
        let (message, _) = wire::received(delivery);
        self.unacknowledged += 1;
        if self.unacknowledged >= ACK_EVERY {
            self.unacknowledged = 0;
            let ack = self.channel.basic_ack(tag, BasicAckOptions { multiple: true });
            bounded("read on in the archive", self.timeout, ack).await?;
        }
        Ok(Some(Archived { offset, message }))
    }

    /// Ends the reading.
    pub async fn close(self) {
        let _ = bounded("close a channel", self.timeout, self.channel.close(200, "done".into())).await;
    }
}

fn as_offset(value: &AMQPValue) -> Option<i64> {
    match value {
        AMQPValue::LongLongInt(offset) => Some(*offset),
        AMQPValue::LongInt(offset) => Some((*offset).into()),
        AMQPValue::LongUInt(offset) => Some((*offset).into()),
        _ => None,
    }
}
