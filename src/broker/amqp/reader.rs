//! Reading a queue over one connection, for ever or to its end.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use lapin::Consumer as LapinConsumer;
use lapin::message::Delivery as LapinDelivery;
use lapin::options::{BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use tokio::sync::mpsc;

use super::control::{Control, Depth};
use super::in_hand::{Flow, Share};
use super::session::Session;
use super::{bounded, wire};
use crate::broker::delivery::Delivery;
use crate::broker::error::BrokerError;
use crate::broker::topology::QueueKind;
use crate::domain::chain;

/// The tag of our only consumer on its channel.
const TAG: &str = "vmacd";
/// Time between two checks whether a queue is at its end.
const CHECK_EVERY: Duration = Duration::from_millis(250);
/// It is at its end when so many checks in a row find it empty: what expired in a retry queue is published by the broker
/// before it is gone from there, and is not counted meanwhile.
const EMPTY_CHECKS: u32 = 3;

/// A message on its way from the session to whoever asks for the next batch.
pub(super) struct HandedOut {
    pub delivery: Delivery,
    pub tag: u64,
    pub share: Share,
    pub session: Arc<Session>,
}

/// Reads queues over one connection.
pub(super) struct Reader<'a> {
    pub control: Control<'a>,
    pub flow: Arc<Flow>,
    pub prefetch: u16,
    pub kind: QueueKind,
    pub sender: &'a mpsc::Sender<HandedOut>,
}

impl Reader<'_> {
    /// Hands on what comes, until the session ends or nobody receives.
    pub async fn read(&self, queue: &str) -> Result<(), String> {
        let (session, mut stream) = self.open(queue).await.map_err(|error| chain(&error))?;
        while let Ok(place) = self.sender.reserve().await {
            let delivery = next(&session, &mut stream).await?;
            place.send(self.handed_out(delivery, &session));
        }
        Ok(())
    }

    /// The same until the queue is empty, nobody else consumes it and everything that came is acknowledged.
    pub async fn read_to_end(&self, queue: &str) -> Result<(), String> {
        loop {
            self.read_while_it_has_messages(queue).await?;
            // What came and was not seen here is back in the queue now that its channel is closed.
            if self.depth(queue).await? == Some(Depth { messages: 0, consumers: 0 }) {
                return Ok(());
            }
        }
    }

    async fn read_while_it_has_messages(&self, queue: &str) -> Result<(), String> {
        let (session, mut stream) = self.open(queue).await.map_err(|error| chain(&error))?;
        let mut empty_checks = 0;
        while empty_checks < EMPTY_CHECKS {
            let place = self.sender.reserve().await.map_err(|_| "the receiver of messages has stopped")?;
            match tokio::time::timeout(CHECK_EVERY, next(&session, &mut stream)).await {
                Ok(delivery) => {
                    place.send(self.handed_out(delivery?, &session));
                    empty_checks = 0;
                }
                Err(_) if self.seems_empty(&session, queue).await? => empty_checks += 1,
                Err(_) => empty_checks = 0,
            }
        }
        session.close().await;
        Ok(())
    }

    async fn open(&self, queue: &str) -> Result<(Arc<Session>, LapinConsumer), BrokerError> {
        let Control { connection, timeout, .. } = &self.control;
        let _reading = self.flow.in_hand().reading();
        let channel = bounded("open a channel", *timeout, connection.create_channel()).await?;
        // Per consumer: quorum queues refuse the global kind.
        let qos = channel.basic_qos(self.prefetch, BasicQosOptions { global: false });
        bounded("set the prefetch", *timeout, qos).await?;
        let (options, none) = (BasicConsumeOptions::default(), FieldTable::default());
        let consume = channel.basic_consume(queue.into(), TAG.into(), options, none);
        let stream = bounded("consume", *timeout, consume).await?;
        let session = Session::new(channel, queue, *timeout, self.flow.in_hand().clone());
        Ok((Arc::new(session), stream))
    }

    fn handed_out(&self, delivery: LapinDelivery, session: &Arc<Session>) -> HandedOut {
        let tag = delivery.delivery_tag;
        let (message, dead) = wire::received(delivery);
        // On commands anybody can write a reason.
        let dead = dead.filter(|_| self.kind == QueueKind::Dead);
        let share = self.flow.take(message.bytes());
        session.note(tag);
        HandedOut { delivery: Delivery { message, given_up: false, dead }, tag, share, session: session.clone() }
    }

    async fn seems_empty(&self, session: &Session, queue: &str) -> Result<bool, String> {
        Ok(session.is_settled().await && self.depth(queue).await? == Some(Depth { messages: 0, consumers: 1 }))
    }

    async fn depth(&self, queue: &str) -> Result<Option<Depth>, String> {
        self.control.depth(queue).await.map_err(|error| chain(&error))
    }
}

/// The next message of the session. Cancelling it loses none.
async fn next(session: &Session, stream: &mut LapinConsumer) -> Result<LapinDelivery, String> {
    let next = tokio::select! {
        next = stream.next() => next,
        () = session.over() => return Err("the broker does not answer".to_owned()),
    };
    next.ok_or("the broker cancelled the consumer")?.map_err(|error| chain(&error))
}
