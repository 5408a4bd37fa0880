//! The pages: someone's way through them in a real browser, and what must hold of every one of them.

mod health;
mod journey;
mod live;
mod protection;
mod whole;

use crate::scenario::world::World;
use crate::support::eventually;
use crate::support::vmacd::Serve;

/// A create of an address of server 0 that its switch refuses, once it waits among the dead letters.
async fn refused_by_the_switch(world: &World, serve: &Serve, number: u32) -> String {
    let switch = world.estate.switch(&world.switch_of(0)).expect("a switch");
    switch.set_fault("change_rejected").expect("a fault");
    let address = world.address(0, number);
    let body = world.body(0, number);
    assert_eq!(crate::api::call(serve, "POST", "/vmacs", Some(body)).await.status, 202);
    eventually("the dead letter waits", async || {
        let letters = world.dead_letters().await;
        letters.iter().any(|letter| letter["ip_address"] == address.as_str()).then_some(())
    })
    .await;
    switch.clear_faults();
    address
}
