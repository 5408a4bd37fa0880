//! Consuming: a task that keeps a session open, however often the broker goes away.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::StreamExt;
use lapin::message::Delivery as LapinDelivery;
use lapin::options::{BasicCancelOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Connection, Consumer as LapinConsumer};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::in_hand::{Flow, InHand};
use super::{Shared, ackers, bounded, close, connect_reading, declare, reject, wire};
use crate::broker::delivery::{Delivery, Proof, Receipt};
use crate::broker::error::BrokerError;
use crate::broker::port::Prefetch;
use crate::broker::topology::QueueKind;

/// The tag of our only consumer on its channel.
const TAG: &str = "vmacd";
/// Time before the first try to get back, doubled up to the longest.
const BACK_OFF_MIN: Duration = Duration::from_millis(100);
const BACK_OFF_MAX: Duration = Duration::from_secs(5);

/// A consumer of one queue of RabbitMQ.
pub struct AmqpConsumer {
    deliveries: mpsc::Receiver<Delivery>,
    /// Taken from the channel, not handed out yet.
    ready: Vec<Delivery>,
    stop: CancellationToken,
}

impl AmqpConsumer {
    pub(super) fn start(shared: Arc<Shared>, kind: QueueKind, prefetch: Prefetch) -> Self {
        let (sender, deliveries) = mpsc::channel(usize::from(prefetch.messages).max(1));
        let in_hand = InHand::new(prefetch.bytes);
        let stop = CancellationToken::new();
        shared.consumers_down.fetch_add(1, Ordering::Relaxed);
        let session = Sessions { shared, kind, prefetch: prefetch.messages, in_hand, sender, stop: stop.clone() };
        tokio::spawn(session.keep());
        Self { deliveries, ready: Vec::new(), stop }
    }

    pub(crate) async fn next_batch(&mut self, max: usize, linger: Duration) -> Option<Vec<Delivery>> {
        if self.ready.is_empty() {
            self.ready.push(self.deliveries.recv().await?);
        }
        // One that came alone is not waited with.
        let linger = if self.deliveries.is_empty() { Duration::ZERO } else { linger };
        let deadline = tokio::time::Instant::now() + linger;
        while self.ready.len() < max {
            match tokio::time::timeout_at(deadline, self.deliveries.recv()).await {
                Ok(Some(delivery)) => self.ready.push(delivery),
                Ok(None) | Err(_) => break,
            }
        }
        let count = max.min(self.ready.len());
        Some(self.ready.drain(..count).collect())
    }

    pub(crate) async fn stop(mut self) {
        self.stop.cancel();
        let mut left = std::mem::take(&mut self.ready);
        while let Some(delivery) = self.deliveries.recv().await {
            left.push(delivery);
        }
        let receipts = left.into_iter().map(|delivery| delivery.receipt).collect();
        let _ = tokio::time::timeout(BACK_OFF_MAX, reject(ackers(receipts))).await;
    }
}

/// The task behind a consumer.
struct Sessions {
    shared: Arc<Shared>,
    kind: QueueKind,
    prefetch: u16,
    in_hand: Arc<InHand>,
    sender: mpsc::Sender<Delivery>,
    stop: CancellationToken,
}

/// An open session.
struct Session {
    connection: Connection,
    channel: Channel,
    consumer: LapinConsumer,
    flow: Arc<Flow>,
}

/// How a session ended.
enum Ended {
    /// It was stopped; the connection stays open for what is still to be settled.
    Stopped,
    /// It broke, for this reason.
    Broken(String),
}

impl Sessions {
    async fn keep(self) {
        let mut back_off = BACK_OFF_MIN;
        let queue = self.shared.topology.queue(self.kind);
        while !self.stop.is_cancelled() {
            let problem = match self.open().await {
                Ok(Session { connection, channel, consumer, flow }) => {
                    self.shared.consumers_down.fetch_sub(1, Ordering::Relaxed);
                    tracing::info!(queue, "consuming");
                    back_off = BACK_OFF_MIN;
                    let ended = self.run(&channel, consumer, &flow).await;
                    match ended {
                        Ended::Stopped => return self.linger(connection).await,
                        Ended::Broken(problem) => {
                            self.shared.consumers_down.fetch_add(1, Ordering::Relaxed);
                            tokio::spawn(async move { close(&connection).await });
                            problem
                        }
                    }
                }
                Err(error) => format!(
                    "{error}: {}",
                    std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default()
                ),
            };
            tracing::warn!(queue, problem, "not consuming; connecting again");
            let stopped = self.stop.run_until_cancelled(tokio::time::sleep(back_off)).await.is_none();
            if stopped {
                return;
            }
            back_off = (back_off * 2).min(BACK_OFF_MAX);
        }
    }

    async fn open(&self) -> Result<Session, BrokerError> {
        let Shared { target, topology, rpc_timeout, .. } = &*self.shared;
        let flow = self.in_hand.flow();
        let connection = connect_reading(target, *rpc_timeout, Some(flow.clone())).await?;
        // A broker that lost its data gets its queues back.
        declare::declare(&connection, topology, *rpc_timeout).await?;
        let channel = bounded("open a channel", *rpc_timeout, connection.create_channel()).await?;
        // Per consumer: quorum queues refuse the global kind.
        let qos = channel.basic_qos(self.prefetch, BasicQosOptions { global: false });
        bounded("set the prefetch", *rpc_timeout, qos).await?;
        let queue = topology.queue(self.kind);
        let consume = channel.basic_consume(
            queue.as_str().into(),
            TAG.into(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        );
        let consumer = bounded("consume", *rpc_timeout, consume).await?;
        Ok(Session { connection, channel, consumer, flow })
    }

    async fn run(&self, channel: &Channel, mut consumer: LapinConsumer, flow: &Flow) -> Ended {
        loop {
            let next = tokio::select! {
                () = self.stop.cancelled() => break,
                next = consumer.next() => next,
            };
            match next {
                Some(Ok(delivery)) => {
                    if !self.hand_on(delivery, flow).await {
                        break;
                    }
                }
                Some(Err(error)) => return Ended::Broken(error.to_string()),
                None => return Ended::Broken("the broker cancelled the consumer".to_owned()),
            }
        }
        // The answer to the cancel is behind all that was sent before.
        self.in_hand.lift();
        let cancel = channel.basic_cancel(TAG.into(), BasicCancelOptions::default());
        let _ = tokio::time::timeout(self.shared.rpc_timeout, cancel).await;
        self.hand_out_rest(consumer, flow).await;
        Ended::Stopped
    }

    /// What was prefetched before the cancel is still ours to settle.
    async fn hand_out_rest(&self, mut consumer: LapinConsumer, flow: &Flow) {
        while let Ok(Some(Ok(delivery))) = tokio::time::timeout(BACK_OFF_MIN, consumer.next()).await {
            if !self.hand_on(delivery, flow).await {
                return;
            }
        }
    }

    /// False where nobody takes it.
    async fn hand_on(&self, delivery: LapinDelivery, flow: &Flow) -> bool {
        let acker = delivery.acker.clone();
        let (message, dead) = wire::received(delivery);
        let _share = Arc::new(flow.take(message.bytes()));
        let receipt = Receipt(Proof::Amqp { acker, _share });
        self.sender.send(Delivery { message, receipt, dead }).await.is_ok()
    }

    /// Keeps the connection until the broker is closed: receipts handed out are settled over it.
    async fn linger(self, connection: Connection) {
        let Self { shared, sender, .. } = self;
        drop(sender);
        shared.closing.cancelled().await;
        close(&connection).await;
    }
}
