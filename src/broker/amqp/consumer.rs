//! Consuming: a task that keeps a session open, however often the broker goes away.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::control::Control;
use super::in_hand::InHand;
use super::reader::{HandedOut, Reader};
use super::{Shared, close, connect_reading, declare, upgrade};
use crate::broker::backend::Prefetch;
use crate::broker::delivery::{Batch, Delivery, Proof, Receipt};
use crate::broker::topology::QueueKind;
use crate::domain::{Backoff, ServiceUrl, chain};

/// Time before the first try to get back.
const RECONNECT_AFTER: Duration = Duration::from_millis(100);
/// A session that lasted longer was a good one. Also the longest time for its end.
const GOOD_SESSION: Duration = Duration::from_secs(5);

/// A consumer of one queue of RabbitMQ; dropped, it ends its session.
pub struct AmqpConsumer {
    messages: mpsc::Receiver<HandedOut>,
    /// Taken from the channel, not handed out yet.
    ready: VecDeque<HandedOut>,
    stop: DropGuard,
    sessions: JoinHandle<()>,
}

impl AmqpConsumer {
    pub(super) fn start(shared: Arc<Shared>, kind: QueueKind, prefetch: Prefetch) -> Self {
        let (sender, messages) = mpsc::channel(usize::from(prefetch.messages).max(1));
        let stop = shared.closing.child_token();
        shared.consumers_down.fetch_add(1, Ordering::Relaxed);
        let in_hand = InHand::new(prefetch.bytes);
        let sessions = Sessions { shared, kind, prefetch: prefetch.messages, in_hand, sender, stop: stop.clone() };
        let sessions = tokio::spawn(sessions.keep());
        Self { messages, ready: VecDeque::new(), stop: stop.drop_guard(), sessions }
    }

    pub(crate) async fn next_batch(&mut self, max: usize, linger: Duration) -> Option<Batch> {
        self.first().await?;
        // A message that came alone does not wait for others.
        if !self.messages.is_empty() {
            self.gather(max, linger).await;
        }
        let first = self.ready.front()?.session.number;
        let count = self.ready.iter().take(max.max(1)).take_while(|message| message.session.number == first).count();
        batch(self.ready.drain(..count).collect())
    }

    async fn gather(&mut self, max: usize, linger: Duration) {
        let deadline = tokio::time::Instant::now() + linger;
        while self.is_of_one_session() && self.ready.len() < max {
            match tokio::time::timeout_at(deadline, self.messages.recv()).await {
                Ok(Some(message)) => self.ready.push_back(message),
                Ok(None) | Err(_) => break,
            }
        }
    }

    /// Waits for a message. Those of a session that is gone are passed over: they come again.
    async fn first(&mut self) -> Option<()> {
        loop {
            self.ready.retain(|message| message.session.is_live());
            if !self.ready.is_empty() {
                return Some(());
            }
            let message = self.messages.recv().await?;
            self.ready.push_back(message);
        }
    }

    /// Whether all that are ready came over one session; sessions follow one another.
    fn is_of_one_session(&self) -> bool {
        let session = |message: Option<&HandedOut>| message.map(|message| message.session.number);
        session(self.ready.front()) == session(self.ready.back())
    }

    pub(crate) async fn stop(self) {
        drop(self.stop);
        let _ = tokio::time::timeout(GOOD_SESSION, self.sessions).await;
    }
}

fn batch(messages: Vec<HandedOut>) -> Option<Batch> {
    let last = messages.last()?;
    let (session, tag) = (last.session.clone(), last.tag);
    let (deliveries, shares): (Vec<Delivery>, Vec<_>) =
        messages.into_iter().map(|message| (message.delivery, message.share)).unzip();
    Some(Batch { deliveries, receipt: Receipt(Proof::Amqp { session, last: tag, _shares: shares.into() }) })
}

/// The task behind a consumer.
struct Sessions {
    shared: Arc<Shared>,
    kind: QueueKind,
    prefetch: u16,
    in_hand: Arc<InHand>,
    sender: mpsc::Sender<HandedOut>,
    stop: CancellationToken,
}

impl Drop for Sessions {
    /// A consumer that is gone is none that is down.
    fn drop(&mut self) {
        self.shared.consumers_down.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Sessions {
    async fn keep(self) {
        let mut backoff = Backoff::new(RECONNECT_AFTER);
        let mut said = None;
        let queue = self.shared.topology.queue(self.kind);
        while !self.stop.is_cancelled() {
            let began = Instant::now();
            let Err(problem) = self.connected().await else { return };
            // What is refused at once is not tried all the time.
            if began.elapsed() > GOOD_SESSION {
                (backoff, said) = (Backoff::new(RECONNECT_AFTER), None);
            }
            if said.as_ref() == Some(&problem) {
                tracing::debug!(queue, problem, "still not consuming; connecting again");
            } else {
                tracing::warn!(queue, problem, "not consuming; connecting again");
            }
            said = Some(problem);
            let _ = self.stop.run_until_cancelled(tokio::time::sleep(backoff.next_wait())).await;
        }
    }

    /// Consumes over one connection; an error says why that ended, if it was not stopped.
    async fn connected(&self) -> Result<(), String> {
        let Shared { target, rpc_timeout, .. } = &*self.shared;
        let (reading, flow) = (self.in_hand.reading(), self.in_hand.flow());
        let connecting = connect_reading(target, *rpc_timeout, Some(flow.clone()));
        let Some(connection) = self.stop.run_until_cancelled(connecting).await else { return Ok(()) };
        let (connection, url) = connection.map_err(|error| chain(&error))?;
        drop(reading);
        let control = Control { connection: &connection, timeout: *rpc_timeout, in_hand: Some(self.in_hand.clone()) };
        let reader = Reader { control, flow, prefetch: self.prefetch, kind: self.kind, sender: &self.sender };
        let ended = self.stop.run_until_cancelled(self.consume(&reader, &url)).await;
        // Nobody waits for what is still to be read, and the answer to the close is behind it.
        let reading = self.in_hand.reading();
        if ended.is_none() {
            close(&connection).await;
            return Ok(());
        }
        tokio::spawn(async move {
            close(&connection).await;
            drop(reading);
        });
        ended.unwrap_or(Ok(()))
    }

    async fn consume(&self, reader: &Reader<'_>, url: &ServiceUrl) -> Result<(), String> {
        let topology = &self.shared.topology;
        // A broker that lost its data gets its queues back.
        if declare::declare(&reader.control, topology).await.map_err(|error| chain(&error))? {
            tracing::warn!(
                queue = topology.queue(QueueKind::Commands),
                "the queue of commands was gone; it was made anew"
            );
            self.shared.queues_made.fetch_add(1, Ordering::Relaxed);
        }
        let _up = Up::new(&self.shared.consumers_down);
        upgrade::replace_former_queue(reader, topology).await?;
        if self.kind == QueueKind::Commands {
            let shared = self.shared.clone();
            tokio::spawn(async move { shared.keep_archive().await });
        }
        let queue = topology.queue(self.kind);
        tracing::info!(queue, %url, "consuming");
        reader.read(&queue).await
    }
}

/// A consumer that has its connection, until dropped.
struct Up<'a>(&'a AtomicUsize);

impl<'a> Up<'a> {
    fn new(down: &'a AtomicUsize) -> Self {
        down.fetch_sub(1, Ordering::Relaxed);
        Self(down)
    }
}

impl Drop for Up<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}
