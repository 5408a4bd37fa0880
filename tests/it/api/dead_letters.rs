//! Dead letters over the API: grouped by cause, replayed and discarded, one by one and many at a time.

use serde_json::{Value, json};

use super::{call, data};
use crate::scenario::world::World;
use crate::support::eventually;
use crate::support::vmacd::Serve;

/// A worker, and so many creates for a server that the inventory does not know.
async fn refused(world: &World, count: u32) -> Serve {
    let serve = world.serve().await;
    for number in 1..=count {
        let body = json!({"server_id": 999_999, "ip_address": world.address(0, number)});
        assert_eq!(call(&serve, "POST", "/vmacs", Some(body)).await.status, 202);
    }
    waiting(&serve, count as usize).await;
    serve
}

/// The dead letters, once exactly so many wait.
async fn waiting(serve: &Serve, count: usize) -> Vec<Value> {
    eventually("so many dead letters wait", async || {
        let items = data(serve, "/dead-letters").await["items"].as_array().expect("a list").clone();
        if items.len() == count { Ok(items) } else { Err(items) }
    })
    .await
}

#[tokio::test]
async fn one_is_found_read_replayed_and_active() {
    let mut world = World::real(1, 1).await;
    world.settings = world.settings.clone().set("VMACD_RETRY_AGE_MAX_MS", 1_000);
    let serve = world.serve().await;
    let switch = world.estate.switch(&world.switch_of(0)).expect("a switch");
    switch.stop();
    assert_eq!(call(&serve, "POST", "/vmacs", Some(world.body(0, 1))).await.status, 202);
    let letter = eventually("the message dies", async || {
        let items = data(&serve, &format!("/dead-letters?switch={}", world.switch_of(0))).await["items"].clone();
        items.get(0).cloned().ok_or(items)
    })
    .await;
    assert_eq!(letter["ip_address"], world.address(0, 1));
    let causes = data(&serve, "/dead-letters/causes").await;
    assert_eq!((causes[0]["count"].as_i64(), &causes[0]["reason"]["code"]), (Some(1), &letter["reason"]["code"]));
    assert_eq!(data(&serve, &format!("/vmacs/{}", world.address(0, 1))).await["status"], "failed");
    switch.start().await.expect("the switch is back");
    let replay = call(&serve, "POST", &format!("/dead-letters/{}/replay", letter["id"]), None).await;
    assert_eq!((replay.status, replay.json()["count"].as_i64()), (200, Some(1)), "{replay:?}");
    world.until("active", 1).await;
    let again = call(&serve, "POST", &format!("/dead-letters/{}/replay", letter["id"]), None).await;
    assert_eq!((again.status, again.json()["code"].as_str()), (404, Some("not_found")), "it waits no more");
    let replayed = data(&serve, "/dead-letters?state=replayed").await;
    assert_eq!((&replayed["items"][0]["id"], replayed["items"][0]["replays"].as_i64()), (&letter["id"], Some(1)));
}

#[tokio::test]
async fn many_are_replayed_in_the_background_and_say_how_far_they_are() {
    let world = World::embedded(1, 1).await;
    let serve = refused(&world, 12).await;
    let dry = call(&serve, "POST", "/dead-letters/replay", Some(json!({"all": true, "dry_run": true}))).await;
    assert_eq!((dry.status, dry.json()["count"].as_i64()), (200, Some(12)));
    waiting(&serve, 12).await;
    let begun = call(&serve, "POST", "/dead-letters/replay", Some(json!({"reason": "unknown_server"}))).await;
    assert_eq!((begun.status, begun.json()["total"].as_i64()), (202, Some(12)), "{begun:?}");
    let path = begun.header("location").and_then(|path| path.strip_prefix("/api/v1")).expect("where it is").to_owned();
    let done = eventually("the replay ends", async || {
        let replay = data(&serve, &path).await;
        if replay["state"] == "running" { Err(replay) } else { Ok(replay) }
    })
    .await;
    assert_eq!((done["state"].as_str(), done["done"].as_i64()), (Some("done"), Some(12)), "{done}");
    // They die once more, for the same reason.
    let letters = waiting(&serve, 12).await;
    assert!(letters.iter().all(|letter| letter["message_id"].is_string()), "{letters:?}");
}

#[tokio::test]
async fn what_is_named_is_discarded_and_nothing_else() {
    let world = World::embedded(1, 1).await;
    let serve = refused(&world, 4).await;
    let mut letters = waiting(&serve, 4).await;
    letters.reverse();
    let ids: Vec<&Value> = letters.iter().map(|letter| &letter["id"]).collect();
    let unknown = call(&serve, "POST", "/dead-letters/discard", Some(json!({"ids": [ids[0], 999]}))).await;
    assert_eq!((unknown.status, waiting(&serve, 4).await.len()), (404, 4), "all or nothing");
    let two = call(&serve, "POST", "/dead-letters/discard", Some(json!({"ids": [ids[0], ids[1]]}))).await;
    assert_eq!(two.json()["ids"], json!([ids[0], ids[1]]));
    assert_eq!(call(&serve, "POST", &format!("/dead-letters/{}/discard", ids[2]), None).await.status, 200);
    let left = waiting(&serve, 1).await;
    assert_eq!(&left[0]["id"], ids[3]);
    let shown = data(&serve, &format!("/dead-letters/{}", ids[0])).await;
    assert_eq!(shown["state"], "discarded");
    assert!(shown["body"].as_str().is_some_and(|body| body.contains("999999")), "{shown}");
}
