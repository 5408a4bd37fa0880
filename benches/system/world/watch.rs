//! Who waits for the events, and notes when each came.

use std::collections::HashSet;
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
    counts: watch::Receiver<Counts>,
}

/// How many creates were answered, each once.
#[derive(Clone, Copy, Default)]
struct Counts {
    active: usize,
    failed: usize,
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
        let (counted, counts) = watch::channel(Counts::default());
        tokio::spawn(note(consumer, arrivals.clone(), counted));
        Self { _connection: connection, arrivals, counts }
    }

    /// Waits until so many creates are active.
    ///
    /// # Errors
    /// How many there were when the time was over.
    pub async fn until(&mut self, count: usize, limit: Duration) -> Result<(), usize> {
        let reached = tokio::time::timeout(limit, self.counts.wait_for(|seen| seen.active >= count)).await.is_ok();
        if reached { Ok(()) } else { Err(self.count()) }
    }

    /// Waits until so many creates have failed. Panics when they have not in time.
    pub async fn until_failed(&mut self, count: usize, limit: Duration) {
        let reached = tokio::time::timeout(limit, self.counts.wait_for(|seen| seen.failed >= count)).await.is_ok();
        assert!(reached, "{} of {count} creates had failed after {limit:?}", self.counts.borrow().failed);
    }

    /// When the event for each create came, by its number.
    pub fn arrivals(&self) -> Vec<Option<Instant>> {
        self.arrivals.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many creates are active.
    pub fn count(&self) -> usize {
        self.counts.borrow().active
    }
}

/// Events come at least once: only the first for each create counts.
async fn note(mut consumer: Consumer, arrivals: Arrivals, counted: watch::Sender<Counts>) {
    let mut failed = HashSet::new();
    while let Some(Ok(delivery)) = consumer.next().await {
        let now = Instant::now();
        let number = delivery.properties.correlation_id().as_ref().and_then(|id| id.as_str().parse::<usize>().ok());
        let Some(number) = number else { continue };
        if delivery.routing_key.as_str() != "vmac.active" {
            eprintln!("   event {}: {}", delivery.routing_key, String::from_utf8_lossy(&delivery.data));
            if delivery.routing_key.as_str() == "vmac.failed" && failed.insert(number) {
                counted.send_modify(|counts| counts.failed += 1);
            }
            continue;
        }
        let mut arrivals = arrivals.lock().unwrap_or_else(PoisonError::into_inner);
        if arrivals.len() <= number {
            arrivals.resize(number + 1, None);
        }
        if arrivals[number].is_none() {
            arrivals[number] = Some(now);
            counted.send_modify(|counts| counts.active += 1);
        }
    }
}
