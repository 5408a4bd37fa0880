//! A whole subnet for a server in one command: few commits, an outcome for each address.

use serde_json::Value;

use super::events::Events;
use super::world::World;
use crate::support::eventually;
use crate::support::vmacd::{Output, run};

async fn ask(world: &World, verb: &str, subnet: &str, more: &[&str]) -> Output {
    ask_about(world, verb, ["--subnet", subnet], more).await
}

async fn ask_about(world: &World, verb: &str, [which, value]: [&str; 2], more: &[&str]) -> Output {
    let server = world.server(0).to_string();
    let arguments: Vec<&str> =
        [verb, "--server", &server, which, value, "--json"].into_iter().chain(more.iter().copied()).collect();
    run(&arguments, &world.settings).await
}

fn answers(output: &Output) -> Vec<Value> {
    serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

#[tokio::test]
async fn a_subnet_is_bound_and_taken_off_with_one_commit_and_an_outcome_for_each_address() {
    let world = World::real(1, 1).await;
    let _serve = world.serve().await;
    let net = format!("{}/28", world.address(0, 15));
    assert!(net.ends_with(".16/28"), "{net}");
    let before = world.commits();
    let created = ask(&world, "create", &net, &["--wait", "--message-id", "order-1"]).await;
    let answers = answers(&created);
    assert_eq!((created.code, answers.len()), (Some(0), 14), "{created:?}");
    assert!(
        answers.iter().all(|answer| answer["status"] == "active" && answer["mac_address"].is_string()),
        "{answers:?}"
    );
    assert_eq!(answers[0]["message_id"], format!("order-1/{}", world.address(0, 16)));
    // A group is one commit confirmed and its confirmation; the first address may have gone ahead of the others.
    assert!(world.commits() - before <= 4, "{} commits", world.commits() - before);
    let again = ask(&world, "create", &net, &["--wait", "--message-id", "order-1"]).await;
    assert_eq!((again.code, world.with_status("active").await.len()), (Some(0), 14), "{again:?}");
    let revoked = ask(&world, "revoke", &net, &["--wait"]).await;
    assert_eq!((revoked.code, world.with_status("revoked").await.len()), (Some(0), 14), "{revoked:?}");
    world.assert_consistent().await;
}

#[tokio::test]
async fn one_refused_address_is_named_and_the_others_are_bound() {
    let world = World::embedded(1, 2).await;
    let _serve = world.serve().await;
    let taken = world.address(0, 17);
    let server = world.server(1).to_string();
    assert_eq!(run(&["create", "--server", &server, "--ip", &taken, "--wait"], &world.settings).await.code, Some(0));
    let created = ask(&world, "create", &format!("{}/29", world.address(0, 15)), &["--wait"]).await;
    let answers = answers(&created);
    let refused: Vec<&Value> = answers.iter().filter(|answer| answer["code"].is_string()).collect();
    assert_eq!((created.code, answers.len(), refused.len()), (Some(1), 6, 1), "{created:?}");
    assert_eq!(refused[0]["ip_address"], taken);
    assert!(created.stderr.contains("1 of 6 requests were refused"), "{created:?}");
    assert_eq!(world.with_status("active").await.len(), 6);
}

#[tokio::test]
async fn what_cannot_be_meant_is_refused_before_anything_is_published() {
    let world = World::embedded(1, 1).await;
    for (subnet, more, expected) in [
        ("10.0.0.17/28", &[][..], "the subnet is 10.0.0.16/28"),
        ("10.0.0.0/8", &[], "more than 1024"),
        ("10.0.0.16/28", &["--mac", "02:5e:10:00:00:01"], "leave it out"),
    ] {
        let refused = ask(&world, "create", subnet, more).await;
        assert!(refused.code == Some(1) && refused.stderr.contains(expected), "{subnet}: {refused:?}");
    }
    for verb in ["create", "rotate", "revoke"] {
        let refused = ask_about(&world, verb, ["--ip", "10.0.0.17/28"], &[]).await;
        assert_eq!(refused.code, Some(1), "{refused:?}");
        for expected in ["write 10.0.0.17 for this address alone", "--subnet 10.0.0.16/28"] {
            assert!(refused.stderr.contains(expected), "{verb}: {refused:?}");
        }
    }
    let both = ask(&world, "create", "10.0.0.16/28", &["--ip", "10.0.0.17"]).await;
    assert!(both.code == Some(1) && both.stderr.contains("cannot be used with"), "{both:?}");
    assert!(world.vmacd(&["list"]).await.as_array().is_some_and(Vec::is_empty));
}

#[tokio::test]
async fn one_message_binds_a_whole_subnet_also_when_it_comes_again() {
    let world = World::real(1, 1).await;
    let _serve = world.serve().await;
    let commits = world.commits();
    let subnet = format!("{}/28", world.address(0, 15));
    let body = serde_json::json!({"server_id": world.server(0), "subnet": subnet}).to_string();
    for _ in 0..2 {
        world.publish("vmac.create", Some("order-1"), body.as_bytes()).await;
    }
    world.until("active", 14).await;
    assert!(world.commits() - commits <= 4, "{} commits", world.commits() - commits);
    let wrong = body.replace(&subnet, "10.0.0.17/28");
    world.publish("vmac.create", Some("order-2"), wrong.as_bytes()).await;
    let letters = eventually("it is a dead letter", async || {
        let letters = world.dead_letters().await;
        if letters.len() == 1 { Ok(letters) } else { Err(letters) }
    })
    .await;
    assert_eq!(letters[0]["reason_code"], "invalid_address");
    let text = letters[0]["error_text"].as_str().unwrap_or_default();
    assert!(text.contains("for this address alone write `ip_address` 10.0.0.17"), "{text}");
    world.publish("vmac.revoke", Some("order-3"), body.as_bytes()).await;
    world.until("revoked", 14).await;
    world.assert_consistent().await;
}

#[tokio::test]
async fn an_address_with_its_interfaces_prefix_binds_neither_it_nor_its_neighbour() {
    let world = World::real(1, 1).await;
    let _serve = world.serve().await;
    let events = Events::bound(&world).await;
    let interface = format!("{}/31", world.address(0, 15));
    let body = serde_json::json!({"server_id": world.server(0), "ip_address": interface}).to_string();
    world.publish("vmac.create", Some("order-1"), body.as_bytes()).await;
    let failed = eventually("it is answered", async || {
        let failed = events.take().await.into_iter().find(|event| event.body["message_id"] == "order-1");
        failed.ok_or("no event")
    })
    .await;
    assert_eq!(
        (failed.routing_key.as_str(), &failed.body["reason"]["code"]),
        ("vmac.failed", &"invalid_address".into())
    );
    let text = failed.body["reason"]["text"].as_str().unwrap_or_default();
    let expected = format!("write {} for this address alone, or `\"subnet\": \"{interface}\"`", world.address(0, 15));
    assert!(text.contains(&expected), "{text}");
    assert_eq!(world.vmacd(&["list", "--status", "active"]).await, serde_json::json!([]));
}
