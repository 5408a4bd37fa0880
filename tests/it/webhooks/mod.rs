//! Webhooks, as receivers and operators meet them.

mod api;
mod delivering;
mod documented;
mod failing;
mod internal;
mod page;
pub(crate) mod receiver;
mod signing;
mod verbs;

use serde_json::Value;

use crate::scenario::world::World;
use crate::support::eventually;
use crate::support::vmacd::Settings;
use receiver::{Received, Receiver};

/// A world whose webhooks may reach this machine; a short time to answer.
async fn allowing(mut world: World) -> World {
    world.settings = allowed(&world.settings);
    world
}

fn allowed(settings: &Settings) -> Settings {
    settings.clone().set("VMACD_WEBHOOKS_INTERNAL", "127.0.0.0/8, ::1").set("VMACD_WEBHOOKS_ANSWER_TIMEOUT_MS", 1_000)
}

/// Adds a webhook, and gives what the verb printed: it has the secret.
async fn add(world: &World, receiver: &Receiver, options: &[&str]) -> Value {
    let url = receiver.url();
    world.vmacd(&[&["webhooks", "add", &url], options].concat()).await
}

/// Asks for a virtual MAC of an address of server number `index` at the command line.
async fn create(world: &World, index: usize, number: u32, options: &[&str]) {
    let (server, ip) = (world.server(index).to_string(), world.address(index, number));
    world.vmacd(&[&["create", "--server", &server, "--ip", &ip], options].concat()).await;
}

/// Waits until the receiver has taken so many.
async fn taken(receiver: &Receiver, count: usize) -> Vec<Received> {
    let what = format!("{count} are delivered");
    eventually(&what, async || {
        let taken = receiver.taken();
        if taken.len() >= count { Ok(taken) } else { Err(receiver.received().len()) }
    })
    .await
}

/// Waits until a delivery in this state has what the test asks for.
async fn delivery(world: &World, state: &str, is_it: impl Fn(&Value) -> bool) -> Value {
    let what = format!("a delivery is {state}");
    eventually(&what, async || {
        let listed = world.vmacd(&["webhooks", "deliveries", "--state", state]).await;
        let found = listed.as_array().expect("a list").iter().find(|delivery| is_it(delivery)).cloned();
        found.ok_or(listed)
    })
    .await
}
