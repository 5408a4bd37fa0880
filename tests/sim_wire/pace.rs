//! A slow switch, and what is counted while its configuration lock is held.

use std::time::{Duration, Instant};

use vmacd::sim::Options;

use super::client::Client;
use super::{COMMIT, LOCK, bind, estate, until};

/// A switch that takes a while for everything.
fn slow() -> Options {
    Options {
        rpc_time: Duration::from_millis(60),
        read_rate: Some(200_000),
        bindings: 200,
        config_size: 100_000,
        ..Options::default()
    }
}

#[tokio::test]
async fn a_slow_switch_answers_one_request_after_another_and_sends_no_faster_than_its_rate() {
    let (_estate, switch) = estate(slow()).await;
    let mut client = Client::ready(&switch).await;
    let began = Instant::now();
    for id in 1..=3 {
        client.send(&format!("<rpc message-id=\"{id}\"><get-commit-information/></rpc>")).await;
    }
    for id in 1..=3 {
        let reply = client.receive().await.unwrap();
        assert!(reply.contains(&format!("message-id=\"{id}\"")), "{reply}");
    }
    assert!(began.elapsed() >= Duration::from_millis(180), "{:?}", began.elapsed());
    let began = Instant::now();
    let reply = client.rpc("<get-configuration database=\"committed\" format=\"text\"/>").await.unwrap();
    assert!(reply.len() > 100_000 && switch.bindings().len() == 204);
    assert!(began.elapsed() >= Duration::from_millis(560), "{:?}", began.elapsed());
    switch.set_rpc_time(Duration::ZERO);
    switch.set_read_rate(None);
    let began = Instant::now();
    client.rpc("<get-configuration database=\"committed\" format=\"text\"/>").await.unwrap();
    assert!(began.elapsed() < Duration::from_millis(500), "{:?}", began.elapsed());
}

#[tokio::test]
async fn what_is_asked_while_the_lock_is_held_is_counted() {
    let options = Options { rpc_time: Duration::from_millis(30), commit_time: Duration::from_millis(200), ..slow() };
    let (_estate, switch) = estate(options).await;
    let (mut client, mut other) = (Client::ready(&switch).await, Client::ready(&switch).await);
    client.rpc("<get-commit-information/>").await.unwrap();
    client.rpc(LOCK).await.unwrap();
    other.rpc("<get-commit-information/>").await.unwrap();
    for operation in ["<get-commit-information/>", &bind("10.0.1.9", "02:aa:00:00:00:01")] {
        client.send(&format!("<rpc>{operation}</rpc>")).await;
    }
    let replies = client.receive().await.unwrap().len() + client.receive().await.unwrap().len();
    client.rpc(COMMIT).await.unwrap();
    client.rpc("<unlock><target><candidate/></target></unlock>").await.unwrap();
    let [hold] = switch.lock_holds().try_into().unwrap();
    assert_eq!(hold.requests, ["get-commit-information", "load-configuration", "commit-configuration", "unlock"]);
    assert_eq!(hold.round_trips, 3);
    assert!(hold.bytes > replies && hold.bytes < replies + 2_000, "{} and {replies}", hold.bytes);
    assert!(hold.committing >= Duration::from_millis(230) && hold.held > hold.committing, "{hold:?}");
    switch.forget_lock_holds();
    client.rpc(LOCK).await.unwrap();
    drop(client);
    until("the cut session's hold is counted", || switch.lock_holds().len() == 1).await;
}
