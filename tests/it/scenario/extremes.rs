//! Every number among the settings at its least and at its greatest value: the program works at both.

use vmacd::config::{Range, Settings};

use super::world::World;
use crate::support::eventually;

/// A world in which every number has the end of its range that `end` names.
fn at(mut world: World, end: impl Fn(Range) -> f64) -> World {
    // Named sections, such as those of hooks, have no variables.
    for section in Settings::sections().into_iter().filter(|section| !section.name.contains('.')) {
        for (key, range) in section.keys.iter().filter_map(|key| Some((key, key.range?))) {
            let variable = format!("VMACD_{}_{}", section.name, key.name).to_uppercase();
            world.settings = world.settings.set(&variable, end(range));
        }
    }
    world
}

/// Starts, asks for one address, waits until it has an outcome, stops. Answers with the row's status.
async fn run(world: &World) -> String {
    let mut serve = world.serve().await;
    let (server, address) = (world.server(0).to_string(), world.address(0, 1));
    world.vmacd(&["create", "--server", &server, "--ip", &address]).await;
    let status = eventually("it has an outcome", async || {
        let rows = world.vmacd(&["list"]).await;
        let status = rows[0]["status"].as_str().unwrap_or("none").to_owned();
        if ["active", "failed"].contains(&status.as_str()) { Ok(status) } else { Err(rows) }
    })
    .await;
    serve.sigterm();
    let ended = serve.wait().await;
    assert!(ended.success() && !serve.log().contains("panicked"), "{ended}: {}", serve.log());
    status
}

#[tokio::test]
async fn at_the_greatest_value_of_every_number_the_work_is_done() {
    for world in [World::real(1, 1).await, World::embedded(1, 1).await] {
        let world = at(world, |range| range.max);
        assert_eq!(run(&world).await, "active");
        world.vmacd(&["audit"]).await;
        world.vmacd(&["switches", "check", "sw-001"]).await;
    }
}

#[tokio::test]
async fn at_the_least_value_of_every_number_the_worker_starts_and_stops_in_order() {
    // With one attempt and a second for everything a loaded machine may fail to push.
    for world in [World::real(1, 1).await, World::embedded(1, 1).await] {
        run(&at(world, |range| range.min)).await;
    }
}
