//! Bodies that are much too long: refused without being held, and nothing behind them waits.
//!
//! A long run has larger ones: `tests/run --long --no-capture long_bodies`.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use vmacd::store::{NewQueueMessage, Store, StoreOptions};

use crate::scenario::world::World;
use crate::support::http::get;
use crate::support::vmacd::{Serve, run};
use crate::support::{eventually, size};

const COUNT: usize = 10;
const KEPT: usize = 64 << 10;
const MEMORY_MAX_MB: u64 = 200;
/// SQLite itself holds a row whole while it changes it, and as many pages in memory as it may have.
const EMBEDDED_MEMORY_BODIES_MAX: usize = 4;
const EMBEDDED_MEMORY_MAX_MB: u64 = 260;

fn body_bytes() -> usize {
    size("VMACD_TEST_LONG_BODY_MB", 20, 100) * 1_000_000
}

/// Begins with what is a command, so that only its length is wrong.
fn long_body(world: &World) -> Vec<u8> {
    let mut body = world.body(0, 2).to_string().into_bytes();
    body.resize(body_bytes(), b' ');
    body
}

/// The letters of the long bodies, once they are collected and the order behind them is done.
async fn letters(world: &World) -> Vec<Value> {
    world.until("active", 1).await;
    eventually("the long bodies are dead letters", async || {
        let letters = world.dead_letters().await;
        if letters.len() == COUNT { Ok(letters) } else { Err(letters) }
    })
    .await
}

async fn assert_kept_in_part(world: &World, letters: &[Value], body: &[u8]) {
    let hash = hex::encode(Sha256::digest(body));
    for letter in letters {
        assert_eq!(
            (letter["reason_code"].as_str(), letter["attempts"].as_i64()),
            (Some("too_large"), Some(1)),
            "{letter}"
        );
        assert_eq!(letter["body_bytes"].as_u64(), Some(body.len() as u64));
        assert_eq!(letter["body_sha256"], hash.as_str());
        assert!(letter.get("body_hex").is_none(), "lists hold no bodies");
    }
    let id = letters[0]["id"].to_string();
    let shown = world.vmacd(&["dead-letters", "show", &id]).await;
    assert_eq!(shown["body_hex"], hex::encode(&body[..KEPT]).as_str());
    let text = run(&["dead-letters", "show", &id], &world.settings).await.stdout;
    assert!(text.contains(&format!("the first {KEPT} of {} bytes, SHA-256", body.len())), "{}", &text[..400]);
}

/// Whoever replays them is told why that cannot be; the letters stay.
async fn assert_not_replayed(world: &World, serve: &Serve, letters: &[Value]) {
    let one = letters[0]["id"].to_string();
    for which in [["--id", one.as_str()].as_slice(), ["--all"].as_slice()] {
        let told = run(&[&["dead-letters", "replay"], which].concat(), &world.settings).await;
        assert_eq!(told.code, Some(1), "{}", told.stderr);
        assert!(told.stderr.contains("cannot be replayed") && told.stderr.contains("at most 65536"), "{}", told.stderr);
    }
    let answer = crate::api::call(serve, "POST", &format!("/dead-letters/{one}/replay"), None).await;
    assert_eq!(answer.status, 413, "{}", answer.body);
    assert_eq!(world.dead_letters().await.len(), letters.len());
}

/// Looks at everything that shows dead letters.
async fn look(serve: &Serve, letters: &[Value]) {
    for path in ["/api/v1/dead-letters?limit=1000", "/api/v1/dead-letters/causes", "/dead-letters", "/"] {
        let page = get(&format!("{}{path}", serve.http_url()), None).await;
        assert!(page.body.len() < 50_000, "{path}: {} bytes", page.body.len());
    }
    let page = get(&format!("{}/dead-letters/{}", serve.http_url(), letters[0]["id"]), None).await;
    assert!(page.body.contains("It cannot be replayed"), "{}", &page.body[..500]);
}

#[tokio::test(flavor = "multi_thread")]
async fn long_bodies_are_refused_in_bounded_memory_and_hold_up_nothing() {
    let world = World::real(1, 1).await;
    drop(world.serve().await);
    let body = long_body(&world);
    for count in 0..COUNT {
        world.publish("vmac.create", Some(&format!("long-{count}")), &body).await;
    }
    world.command("create", 0, 1, "good").await;
    let serve = world.serve().await;
    let letters = letters(&world).await;
    look(&serve, &letters).await;
    let peak_mb = serve.peak_memory_mb();
    eprintln!("{COUNT} bodies of {} bytes: at most {peak_mb} MB", body.len());
    assert!(peak_mb < MEMORY_MAX_MB, "{peak_mb} MB");
    assert_kept_in_part(&world, &letters, &body).await;
    assert_not_replayed(&world, &serve, &letters).await;
    world.assert_consistent().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_that_the_broker_put_aside_whole_are_collected_in_bounded_memory() {
    let world = World::real(1, 1).await;
    drop(world.serve().await);
    let body = long_body(&world);
    for count in 0..COUNT {
        world.publish_dead(&format!("dead-{count}"), &body).await;
    }
    let serve = world.serve().await;
    let letters = eventually("they are collected", async || {
        let letters = world.dead_letters().await;
        if letters.len() == COUNT { Ok(letters) } else { Err(letters) }
    })
    .await;
    let peak_mb = serve.peak_memory_mb();
    assert!(peak_mb < MEMORY_MAX_MB, "{peak_mb} MB");
    let hash = hex::encode(Sha256::digest(&body));
    for letter in letters {
        assert_eq!((&letter["reason_code"], &letter["body_sha256"]), (&json!("delivery_limit"), &json!(hash)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn long_bodies_in_the_embedded_queue_are_refused_in_bounded_memory_and_hold_up_nothing() {
    let world = World::embedded(1, 1).await;
    let body = long_body(&world);
    let url = world.settings.get("VMACD_DATABASE_URL").expect("a database");
    let store = Store::connect(url, StoreOptions::default()).await.expect("a database");
    for count in 0..COUNT {
        queue(&store, &format!("long-{count}"), body.clone()).await;
    }
    queue(&store, "good", world.body(0, 1).to_string().into_bytes()).await;
    let serve = world.serve().await;
    let letters = letters(&world).await;
    look(&serve, &letters).await;
    let (peak_mb, max_mb) =
        (serve.peak_memory_mb(), EMBEDDED_MEMORY_MAX_MB + (EMBEDDED_MEMORY_BODIES_MAX * body.len() / 1_000_000) as u64);
    eprintln!("{COUNT} bodies of {} bytes, embedded: at most {peak_mb} MB", body.len());
    assert!(peak_mb < max_mb, "{peak_mb} MB, more than {max_mb}");
    assert_kept_in_part(&world, &letters, &body).await;
    assert_not_replayed(&world, &serve, &letters).await;
    world.assert_consistent().await;
}

/// Puts a message into the table as it is, past all checks of whoever publishes.
async fn queue(store: &Store, message_id: &str, body: Vec<u8>) {
    let properties = json!({"message_id": message_id, "routing_key": "vmac.create"});
    let message = NewQueueMessage { queue: "vmac.commands".to_owned(), properties, body };
    store.queue().publish(&[message]).await.expect("queued");
}
