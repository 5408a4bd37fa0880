//! Who waits for the events, and notes when each came.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use lapin::options::{BasicConsumeOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{Connection, Consumer};
use tokio::sync::watch;

use crate::support::Rabbit;
use crate::world::World;

/// When the first event for each create came.
type Arrivals = Arc<Mutex<Vec<Option<Instant>>>>;

/// A consumer of a world's events.
pub struct Watch {
    _connection: Connection,
    arrivals: Arrivals,
    count: watch::Receiver<usize>,
}

impl Watch {
    /// Listens from now on. The exchange must be there: a worker declares it.
    pub async fn start(world: &World) -> Self {
        Self::start_in(&world.namespace).await
    }

    /// The same, by the prefix of the exchange's name.
    pub async fn start_in(namespace: &str) -> Self {
        let (connection, channel) = Rabbit::shared().channel().await;
        let options = QueueDeclareOptions { exclusive: true, auto_delete: true, ..QueueDeclareOptions::default() };
        let queue = channel.queue_declare("".into(), options, FieldTable::default()).await.expect("a queue");
        let name = queue.name().clone();
        let exchange = format!("{namespace}vmac.events");
        let (bind, none) = (QueueBindOptions::default(), FieldTable::default());
        channel.queue_bind(name.clone(), exchange.into(), "#".into(), bind, none).await.expect("bound");
        let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
        let consumer = channel.basic_consume(name, "".into(), options, FieldTable::default()).await.expect("consuming");
        let arrivals = Arrivals::default();
        let (counted, count) = watch::channel(0);
        tokio::spawn(note(consumer, arrivals.clone(), counted));
        Self { _connection: connection, arrivals, count }
    }

    /// Waits until so many creates are active.
    ///
    /// # Errors
    /// How many there were when the time was over.
    pub async fn until(&mut self, count: usize, limit: Duration) -> Result<(), usize> {
        let reached = tokio::time::timeout(limit, self.count.wait_for(|seen| *seen >= count)).await.is_ok();
        if reached { Ok(()) } else { Err(*self.count.borrow()) }
    }

    /// When the event for each create came, by its number.
    pub fn arrivals(&self) -> Vec<Option<Instant>> {
        self.arrivals.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many creates are active.
    pub fn count(&self) -> usize {
        *self.count.borrow()
    }
}

/// Events come at least once: only the first for each create counts.
async fn note(mut consumer: Consumer, arrivals: Arrivals, counted: watch::Sender<usize>) {
    while let Some(Ok(delivery)) = consumer.next().await {
        let now = Instant::now();
        let number = delivery.properties.correlation_id().as_ref().and_then(|id| id.as_str().parse::<usize>().ok());
        let Some(number) = number else { continue };
        if delivery.routing_key.as_str() != "vmac.active" {
            eprintln!("   event {}: {}", delivery.routing_key, String::from_utf8_lossy(&delivery.data));
            continue;
        }
        let mut arrivals = arrivals.lock().unwrap_or_else(PoisonError::into_inner);
        if arrivals.len() <= number {
            arrivals.resize(number + 1, None);
        }
        if arrivals[number].is_none() {
            arrivals[number] = Some(now);
            counted.send_modify(|count| *count += 1);
        }
    }
}
