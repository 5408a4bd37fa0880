//! What an operator does at a switch's terminal meanwhile.

use super::world::World;
use crate::support::eventually;

/// An operator's lines on the switch of server `index`, committed.
pub fn operator(world: &World, index: usize, lines: &str) {
    let switch = world.estate.switch(&world.switch_of(index)).expect("a switch");
    switch.operator_edit(lines).expect("edited");
    switch.operator_commit().expect("committed");
}

/// The same once a worker that is at the switch has given its lock back.
pub async fn operator_after_the_worker(world: &World, index: usize, lines: &str) {
    let switch = world.estate.switch(&world.switch_of(index)).expect("a switch");
    eventually("the operator's lines are taken", async || switch.operator_edit(lines)).await;
    switch.operator_commit().expect("committed");
}

/// The statement of an address's binding on the port of server `index`.
pub fn statement(world: &World, index: usize, ip: &str) -> String {
    let interface = world.inventory["servers"][index]["ports"][0]["interface"].as_str().expect("an interface");
    format!("ethernet-switching-options secure-access-port interface {interface} static-ip {ip}")
}

/// An operator binds an address on the port of server `index`.
pub fn bind(world: &World, index: usize, ip: &str, mac: &str) {
    operator(world, index, &format!("set {} vlan VLAN.13 mac {mac}", statement(world, index, ip)));
}

/// An operator removes an address's binding on the port of server `index`.
pub fn unbind(world: &World, index: usize, ip: &str) {
    operator(world, index, &format!("delete {}", statement(world, index, ip)));
}
