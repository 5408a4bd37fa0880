//! A producer: persistent messages, confirms awaited in a window, as any producer in a hurry does it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Channel, Connection, PublisherConfirm};
use tokio::task::JoinSet;

use crate::support::Rabbit;
use crate::world::{Create, World};

/// Messages on their way whose confirm has not come.
const WINDOW: usize = 1_000;

/// A connection that publishes.
pub struct Producer {
    _connection: Connection,
    channel: Channel,
    exchange: String,
    routing_key: String,
}

impl Producer {
    /// Publishes creates to the world's exchange.
    pub async fn to(world: &World) -> Self {
        Self::to_exchange(format!("{}vmac.commands", world.namespace), "vmac.create".to_owned()).await
    }

    /// Publishes to any exchange.
    pub async fn to_exchange(exchange: String, routing_key: String) -> Self {
        let (connection, channel) = Rabbit::shared().channel().await;
        channel.confirm_select(ConfirmSelectOptions::default()).await.expect("confirms");
        Self { _connection: connection, channel, exchange, routing_key }
    }

    /// Publishes all as fast as the window lets it; gives the time at which each was sent.
    pub async fn publish_all(&self, creates: &[Create]) -> Vec<Instant> {
        let mut window = VecDeque::with_capacity(WINDOW);
        let mut sent = Vec::with_capacity(creates.len());
        for create in creates {
            if window.len() == WINDOW {
                confirmed(window.pop_front().expect("a full window")).await;
            }
            sent.push(Instant::now());
            window.push_back(self.send(create).await);
        }
        for confirm in window {
            confirmed(confirm).await;
        }
        sent
    }

    /// Publishes so many a second, evenly; gives the time at which each was due: one that was late for want of CPU counts
    /// from then.
    pub async fn publish_evenly(&self, creates: &[Create], per_second: f64) -> Vec<Instant> {
        let began = Instant::now();
        let mut confirms = JoinSet::new();
        let mut due = Vec::with_capacity(creates.len());
        for (nth, create) in creates.iter().enumerate() {
            due.push(began + Duration::from_secs_f64(nth as f64 / per_second));
            tokio::time::sleep_until(due[nth].into()).await;
            confirms.spawn(confirmed(self.send(create).await));
        }
        confirms.join_all().await;
        due
    }

    async fn send(&self, create: &Create) -> PublisherConfirm {
        let mac = create.mac.as_ref().map_or_else(String::new, |mac| format!(r#","mac_address":"{mac}""#));
        let body = format!(r#"{{"server_id":{},"ip_address":"{}"{mac}}}"#, create.server_id, create.ip);
        let properties = BasicProperties::default()
            .with_delivery_mode(2)
            .with_content_type("application/json".into())
            .with_message_id(format!("create-{}", create.number).into())
            .with_correlation_id(create.number.to_string().into());
        let (exchange, key) = (self.exchange.as_str().into(), self.routing_key.as_str().into());
        let sending =
            self.channel.basic_publish(exchange, key, BasicPublishOptions::default(), body.as_bytes(), properties);
        sending.await.expect("published")
    }
}

async fn confirmed(confirm: PublisherConfirm) {
    let answer = confirm.await.expect("the broker answers");
    assert!(answer.is_ack(), "{answer:?}");
}
