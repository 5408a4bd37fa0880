//! All events of a world, in a queue of the test's own.

use lapin::options::{BasicGetOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{FieldTable, ShortString};
use serde_json::Value;

use super::world::World;
use crate::support::Rabbit;

/// The queue that they come to.
pub struct Events {
    _connection: lapin::Connection,
    channel: lapin::Channel,
    queue: ShortString,
}

/// One event.
#[derive(Debug)]
pub struct Event {
    pub routing_key: String,
    pub body: Value,
}

impl Events {
    /// Binds the queue; before the worker starts, so that no event is missed.
    pub async fn bound(world: &World) -> Self {
        // The worker declares its exchanges at its start; a verb that publishes does it before.
        world.vmacd(&["revoke", "--server", &world.server(0).to_string(), "--ip", &world.address(0, 200)]).await;
        let (connection, channel) = Rabbit::shared().channel().await;
        let options = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
        let declared = channel.queue_declare("".into(), options, FieldTable::default()).await.expect("a queue");
        let queue = declared.name().clone();
        let exchange = ShortString::from(format!("{}vmac.events", world.namespace));
        let options = QueueBindOptions::default();
        channel.queue_bind(queue.clone(), exchange, "#".into(), options, FieldTable::default()).await.expect("bound");
        Self { _connection: connection, channel, queue }
    }

    /// Takes those that have come.
    pub async fn take(&self) -> Vec<Event> {
        let mut events = Vec::new();
        while let Ok(Some(event)) = self.channel.basic_get(self.queue.clone(), BasicGetOptions { no_ack: true }).await {
            let body = serde_json::from_slice(&event.data).expect("an event is JSON");
            events.push(Event { routing_key: event.routing_key.to_string(), body });
        }
        events
    }
}
