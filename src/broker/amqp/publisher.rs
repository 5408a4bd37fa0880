//! Publishing: many at once, each confirmed by the broker before it counts.

use std::time::Duration;

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Channel, Confirmation, Connection, PublisherConfirm};
use tokio::sync::Mutex;

use super::{AmqpTarget, bounded, close, connect, together};
use crate::broker::error::BrokerError;

/// Messages published before their confirms are awaited: lapin copies each of them.
const WINDOW: usize = 512;
/// The same in bytes of their bodies; the last one may exceed it.
const WINDOW_BYTES: usize = 4 << 20;

/// A message ready for the wire.
pub(super) struct Parcel<'a> {
    pub exchange: String,
    pub routing_key: String,
    /// It must reach a queue.
    pub mandatory: bool,
    pub properties: BasicProperties,
    pub body: &'a [u8],
}

/// The publishing connection, opened when it is needed and dropped when anything is wrong with it.
pub(super) struct Publisher {
    target: AmqpTarget,
    timeout: Duration,
    session: Mutex<Option<(Connection, Channel)>>,
}

impl Publisher {
    pub fn new(target: AmqpTarget, timeout: Duration) -> Self {
        Self { target, timeout, session: Mutex::new(None) }
    }

    /// Publishes everything and awaits every confirm. Where the connection had broken, another node may take the messages:
    /// what the first one took already then comes twice.
    pub async fn publish(&self, parcels: Vec<Parcel<'_>>) -> Result<(), BrokerError> {
        if parcels.is_empty() {
            return Ok(());
        }
        let mut session = self.session.lock().await;
        let had_session = session.is_some();
        match self.attempt(&mut session, &parcels).await {
            Err(BrokerError::Amqp { .. }) if had_session => self.attempt(&mut session, &parcels).await,
            result => result,
        }
    }

    async fn attempt(
        &self,
        session: &mut Option<(Connection, Channel)>,
        parcels: &[Parcel<'_>],
    ) -> Result<(), BrokerError> {
        let result = self.publish_on(session, parcels).await;
        if matches!(result, Err(BrokerError::Amqp { .. } | BrokerError::Refused { .. } | BrokerError::Timeout { .. }))
            && let Some((connection, _)) = session.take()
        {
            tokio::spawn(async move { close(&connection).await });
        }
        result
    }

    async fn publish_on(
        &self,
        session: &mut Option<(Connection, Channel)>,
        parcels: &[Parcel<'_>],
    ) -> Result<(), BrokerError> {
        let usable = session
            .as_ref()
            .is_some_and(|(connection, channel)| connection.status().connected() && channel.status().connected());
        if !usable {
            *session = Some(self.open().await?);
        }
        let Some((_, channel)) = session else { return Ok(()) };
        // A new session is tried with one message: a broker short of memory says so no sooner, and publishes in the end
        // whatever it was sent on each session that was given up meanwhile.
        let (first, rest) = parcels.split_at(if usable { 0 } else { 1 });
        for window in [first].into_iter().chain(rest.chunks(WINDOW).flat_map(windows)) {
            self.publish_window(channel, window).await?;
        }
        Ok(())
    }

    async fn publish_window(&self, channel: &Channel, window: &[Parcel<'_>]) -> Result<(), BrokerError> {
        let sent = async { together(window.iter().map(|parcel| send(channel, parcel))).await.into_iter().collect() };
        let confirms: Vec<PublisherConfirm> = bounded("take messages", self.timeout, sent).await?;
        for (confirm, parcel) in confirms.into_iter().zip(window) {
            taken(bounded("confirm a message", self.timeout, confirm).await?, parcel)?;
        }
        Ok(())
    }

    async fn open(&self) -> Result<(Connection, Channel), BrokerError> {
        let connection = connect(&self.target, self.timeout).await?;
        let channel = bounded("open a channel", self.timeout, connection.create_channel()).await?;
        let confirm = channel.confirm_select(ConfirmSelectOptions::default());
        bounded("confirm what is published", self.timeout, confirm).await?;
        Ok((connection, channel))
    }

    pub async fn close(&self) {
        if let Some((connection, _)) = self.session.lock().await.take() {
            close(&connection).await;
        }
    }
}

async fn send(channel: &Channel, parcel: &Parcel<'_>) -> Result<PublisherConfirm, lapin::Error> {
    let options = BasicPublishOptions { mandatory: parcel.mandatory, ..BasicPublishOptions::default() };
    channel
        .basic_publish(
            parcel.exchange.as_str().into(),
            parcel.routing_key.as_str().into(),
            options,
            parcel.body,
            parcel.properties.clone(),
        )
        .await
}

/// Parts of at most so many bytes.
fn windows<'a, 'b>(parcels: &'a [Parcel<'b>]) -> impl Iterator<Item = &'a [Parcel<'b>]> {
    let mut bytes = 0;
    parcels.chunk_by(move |parcel, _| {
        bytes += parcel.body.len();
        let fits = bytes < WINDOW_BYTES;
        bytes *= usize::from(fits);
        fits
    })
}

/// A confirm says "taken", not "routed": what reached no queue comes back with it.
fn taken(confirmation: Confirmation, parcel: &Parcel<'_>) -> Result<(), BrokerError> {
    let why = match confirmation {
        Confirmation::Ack(None) => return Ok(()),
        Confirmation::Ack(Some(returned)) => returned.reply_text.to_string(),
        Confirmation::Nack(_) => "refused: is its queue full?".to_owned(),
        Confirmation::NotRequested => "no confirm".to_owned(),
    };
    Err(BrokerError::NotTaken { exchange: parcel.exchange.clone(), why })
}
