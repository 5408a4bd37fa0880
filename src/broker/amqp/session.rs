//! One session of a consumer: a channel with the messages that came over it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use lapin::Channel;
use lapin::options::{BasicAckOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::bounded;
use super::in_hand::InHand;

/// Sessions of this process so far.
static SESSIONS: AtomicU64 = AtomicU64::new(0);

/// A session. Batches are acknowledged in their order, and nothing else is settled on its channel.
#[derive(Debug)]
pub(in crate::broker) struct Session {
    /// No other session of this process has it.
    pub number: u64,
    channel: Channel,
    queue: String,
    timeout: Duration,
    in_hand: Arc<InHand>,
    /// The tag of the newest message that came.
    newest: AtomicU64,
    /// Everything up to this tag is acknowledged.
    settled: Mutex<u64>,
    /// The broker did not answer: the session is given up.
    over: CancellationToken,
}

impl Session {
    pub(super) fn new(channel: Channel, queue: &str, timeout: Duration, in_hand: Arc<InHand>) -> Self {
        Self {
            number: SESSIONS.fetch_add(1, Ordering::Relaxed) + 1,
            channel,
            queue: queue.to_owned(),
            timeout,
            in_hand,
            newest: AtomicU64::new(0),
            settled: Mutex::new(0),
            over: CancellationToken::new(),
        }
    }

    /// A message of this tag came.
    pub(super) fn note(&self, tag: u64) {
        self.newest.store(tag, Ordering::Relaxed);
    }

    /// True while the channel can be used, as far as is known.
    pub fn is_live(&self) -> bool {
        !self.over.is_cancelled() && self.channel.status().connected()
    }

    /// Returns when the broker did not answer a request.
    pub(super) async fn over(&self) {
        self.over.cancelled().await;
    }

    /// One round trip about the queue, over the channel that its messages come over.
    pub async fn confirm(&self) -> bool {
        // The answer is behind messages that would otherwise not be read before others are settled.
        let _reading = self.in_hand.reading();
        let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let asked = self.channel.queue_declare(self.queue.as_str().into(), passive, FieldTable::default());
        let answered = bounded("answer on a session's channel", self.timeout, asked).await.is_ok();
        if !answered {
            self.over.cancel();
        }
        answered
    }

    /// Acknowledges everything up to this tag. Where the session is gone its messages come again.
    pub async fn ack(&self, tag: u64) {
        let mut settled = self.settled.lock().await;
        // A tag that is settled already is an error that would end the channel.
        if tag <= *settled || !self.is_live() {
            return;
        }
        *settled = tag;
        let acked = self.channel.basic_ack(tag, BasicAckOptions { multiple: true });
        if bounded("acknowledge messages", self.timeout, acked).await.is_err() {
            self.over.cancel();
        }
    }

    /// True when everything that came is acknowledged.
    pub(super) async fn is_settled(&self) -> bool {
        *self.settled.lock().await >= self.newest.load(Ordering::Relaxed)
    }

    /// Closes the channel: what is not acknowledged goes back to the head of the queue.
    pub(super) async fn close(&self) {
        let closed = self.channel.close(200, "done".into());
        let _ = bounded("close a channel", self.timeout, closed).await;
    }
}
