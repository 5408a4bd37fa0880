//! RabbitMQ short of memory takes nothing from publishers: bindings are made all the same, events wait.

use std::collections::BTreeMap;

use lapin::Channel;
use lapin::options::{BasicGetOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use serde_json::Value;
use vmacd::sim::Options;

use crate::scenario::world::World;
use crate::support::{Proxy, Rabbit, eventually};

const COMMANDS: u32 = 40;

/// Binds a subscriber's queue to every event.
async fn subscribe(channel: &Channel, exchange: &str) {
    let (options, none) =
        (QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() }, FieldTable::default());
    channel.queue_declare("subscriber".into(), options, none.clone()).await.expect("a queue");
    let bind = channel.queue_bind("subscriber".into(), exchange.into(), "#".into(), QueueBindOptions::default(), none);
    bind.await.expect("bound");
}

/// The next event's message id, if one is there.
async fn next_event(channel: &Channel) -> Option<String> {
    let got = channel.basic_get("subscriber".into(), BasicGetOptions { no_ack: true }).await.expect("a queue");
    let event: Value = serde_json::from_slice(&got?.delivery.data).expect("JSON");
    assert_eq!(event["status"], "active", "{event}");
    Some(event["message_id"].as_str().expect("a message id").to_owned())
}

/// Messages in the queue of commands, those in the worker's hands included.
fn commands_queued(rabbit: &Rabbit, namespace: &str) -> u64 {
    let listed = tokio::task::block_in_place(|| rabbit.ctl(&["list_queues", "name", "messages", "--no-table-headers"]));
    let queue = format!("{namespace}vmac.commands");
    let of_queue = listed.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).find(|row| row[0] == queue);
    of_queue.expect("the queue of commands")[1].parse().expect("a number")
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_become_active_while_a_private_broker_is_short_of_memory_and_their_events_come_later() {
    let rabbit = Rabbit::private();
    let mut world = World::real_on(&rabbit, Options { switches: 1, ..Options::default() }).await;
    world.settings = world.settings.clone().set("VMACD_BROKER_RPC_TIMEOUT_MS", 1_000);
    let proxy = Proxy::start(&world.switches()[0].addr().to_string()).await;
    world.move_switch(0, proxy.port()).await;
    let serve = world.serve().await;
    let (_connection, channel) = rabbit.channel().await;
    subscribe(&channel, &format!("{}vmac.events", world.namespace)).await;
    // Nothing is done before the alarm is raised.
    proxy.black_hole();
    let commands = (0..COMMANDS).map(|number| (0, number + 1));
    world.publish_creates(commands).await;
    world.until("pending", COMMANDS as usize).await;
    rabbit.ctl(&["set_vm_memory_high_watermark", "0.0000001"]);
    proxy.restore();
    world.until("active", COMMANDS as usize).await;
    eventually("every command is acknowledged", async || match commands_queued(&rabbit, &world.namespace) {
        0 => Ok(()),
        left => Err(left),
    })
    .await;
    eventually("it is tried again and again", async || {
        serve.log().matches("did not confirm a message within").count() >= 5
    })
    .await;
    let published = "SELECT count(*) FROM events WHERE id NOT IN (SELECT event_id FROM unpublished_events)";
    assert_eq!(world.database().count(published).await, 0);
    assert_eq!(next_event(&channel).await, None);
    rabbit.ctl(&["set_vm_memory_high_watermark", "0.6"]);
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    eventually("the subscriber has an event of each command", async || {
        while let Some(id) = next_event(&channel).await {
            *seen.entry(id).or_default() += 1;
        }
        if seen.len() == COMMANDS as usize { Ok(()) } else { Err(seen.len()) }
    })
    .await;
    let often = seen.values().filter(|times| **times > 2).count();
    assert!(often <= 1, "each new session was tried with one message: {seen:?}");
    let unpublished = "SELECT count(*) FROM unpublished_events";
    eventually("the outbox is empty", async || world.database().count(unpublished).await == 0).await;
    assert!(world.dead_letters().await.is_empty());
    world.assert_consistent().await;
}
