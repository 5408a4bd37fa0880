//! Creates published at once, and what became of them.

use std::time::{Duration, Instant};

use crate::world::producer::Producer;
use crate::world::watch::Watch;
use crate::world::{Create, World};

/// Published and waited for.
pub struct Flow {
    pub creates: usize,
    /// From the first publish to the last event.
    pub seconds: f64,
    /// From the first publish to the last confirm.
    pub publishing_s: f64,
}

impl Flow {
    pub fn per_second(&self) -> f64 {
        self.creates as f64 / self.seconds
    }
}

/// Publishes all at once to a world whose workers run, and waits for the event of each. Panics when not all are active
/// in time.
pub async fn flow(world: &World, creates: &[Create], limit: Duration) -> Flow {
    let mut watch = Watch::start(world).await;
    let producer = Producer::to(world).await;
    flow_with(&producer, &mut watch, creates, limit).await
}

/// As [`flow`], with a producer and a watch that are there already.
pub async fn flow_with(producer: &Producer, watch: &mut Watch, creates: &[Create], limit: Duration) -> Flow {
    let (before, began) = (watch.count(), Instant::now());
    producer.publish_all(creates).await;
    let publishing_s = began.elapsed().as_secs_f64();
    if let Err(seen) = watch.until(before + creates.len(), limit).await {
        panic!("{} of {} creates were active after {limit:?}", seen - before, creates.len());
    }
    let arrivals = watch.arrivals();
    let last = creates.iter().filter_map(|create| arrivals[create.number]).max().expect("a create");
    Flow { creates: creates.len(), seconds: (last - began).as_secs_f64(), publishing_s }
}
