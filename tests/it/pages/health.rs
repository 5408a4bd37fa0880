//! Outages are said at the top of every page, and what waits for a switch says why.

use std::time::Duration;

use super::live::{sign, until_live};
use crate::scenario::world::World;
use crate::support::browser::Browser;
use crate::support::http::{Ask, ask, ask_without_following};
use crate::support::vmacd::Serve;
use crate::support::{Proxy, Rabbit, eventually, eventually_within};

const PAGES: &[&str] =
    &["/", "/vmacs", "/dead-letters", "/switches", "/switches/sw-001", "/webhooks", "/health", "/api/v1/docs"];

async fn page(serve: &Serve, path: &str) -> String {
    let headers = vec![("accept", "text/html".to_owned())];
    ask(&format!("{}{path}", serve.http_url()), Ask { headers, ..Ask::default() }).await.body
}

/// Waits until the page says this, wherever on it.
async fn page_says(serve: &Serve, path: &str, text: &str) {
    eventually(&format!("{path} says {text:?}"), async || {
        let page = page(serve, path).await;
        if page.contains(text) { Ok(()) } else { Err(page) }
    })
    .await;
}

/// Waits until the strip in the browser says this.
async fn strip_says(browser: &Browser, text: &str) {
    eventually(&format!("the strip says {text:?}"), async || {
        let strip = browser.script("return document.getElementById('health').innerText").await;
        if strip.as_str().is_some_and(|strip| strip.contains(text)) { Ok(()) } else { Err(strip) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_or_a_database_that_is_away_is_said_on_every_page_and_nothing_is_green() {
    let mut world = World::real(1, 1).await;
    let rabbit = Rabbit::shared();
    let (broker, database) = (Proxy::start(rabbit.authority()).await, Proxy::start(world.database().authority()).await);
    world.settings = world.settings.clone().set("VMACD_AMQP_URL", rabbit.url_through(broker.port()));
    world.settings = world.settings.clone().set("VMACD_DATABASE_URL", world.database().url_through(database.port()));
    let serve = world.serve().await;
    let browser = Browser::start(1100, 760).await;
    browser.open(&format!("{}/switches", serve.http_url())).await;
    strip_says(&browser, "RabbitMQ connected").await;
    strip_says(&browser, "Workers 1 of 1").await;
    assert!(page(&serve, "/vmacs").await.contains(", running since "), "who runs, since when");
    until_live(&browser).await;
    broker.cut();
    strip_says(&browser, "RabbitMQ has been unreachable").await;
    eventually("the sign is not green", async || !sign(&browser).await.1).await;
    for path in PAGES {
        page_says(&serve, path, "RabbitMQ has been unreachable").await;
    }
    page_says(&serve, "/health", "no connection").await;
    broker.restore();
    strip_says(&browser, "RabbitMQ connected").await;
    until_live(&browser).await;
    database.black_hole();
    strip_says(&browser, "The database has been unreachable since ").await;
    eventually("the sign is not green", async || !sign(&browser).await.1).await;
    assert!(browser.text().await.contains("sw-001"), "what was shown stays");
    for path in PAGES {
        page_says(&serve, path, "The database has been unreachable since ").await;
    }
    database.restore();
    until_live(&browser).await;
    strip_says(&browser, "Database ").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_logged_in_sees_what_is_wrong_while_the_database_cannot_say_who_they_are() {
    let mut world = World::real(1, 1).await;
    let database = Proxy::start(world.database().authority()).await;
    world.settings = world.settings.clone().set("VMACD_API_TOKEN", "t0ken-of-the-pages");
    world.settings = world.settings.clone().set("VMACD_DATABASE_URL", world.database().url_through(database.port()));
    let serve = world.serve().await;
    let form = vec![("content-type", "application/x-www-form-urlencoded".to_owned())];
    let body = Some("token=t0ken-of-the-pages".to_owned());
    let login = Ask { method: "POST", headers: form, body };
    let login = ask_without_following(&format!("{}/login", serve.http_url()), login).await;
    let cookie = login.header("set-cookie").and_then(|cookie| cookie.split(';').next()).expect("a cookie").to_owned();
    let shown = async |cookie: &str| {
        let headers = vec![("cookie", cookie.to_owned()), ("accept", "text/html".to_owned())];
        ask(&format!("{}/vmacs", serve.http_url()), Ask { headers, ..Ask::default() }).await.body
    };
    assert!(shown(&cookie).await.contains("Log out"));
    database.black_hole();
    eventually("the outage is said", async || {
        let page = shown(&cookie).await;
        if page.contains("The database has been unreachable since ") && page.contains("Log out") {
            Ok(())
        } else {
            Err(page)
        }
    })
    .await;
    let stranger = shown("vmacd_session=0000").await;
    assert!(!stranger.contains("id=\"health\""), "{stranger}");
    database.restore();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_that_an_operator_locked_is_said_on_every_page_with_why_since_when_and_when_it_is_tried() {
    let world = World::embedded(1, 1).await;
    let serve = world.serve().await;
    let switch = world.estate.switch(&world.switch_of(0)).expect("a switch");
    switch.operator_lock().expect("the lock");
    let browser = Browser::start(390, 800).await;
    browser.open(&format!("{}/vmacs", serve.http_url())).await;
    strip_says(&browser, "Switches reachable").await;
    until_live(&browser).await;
    assert_eq!(crate::api::call(&serve, "POST", "/vmacs", Some(world.body(0, 1))).await.status, 202);
    strip_says(&browser, "1 switch waiting").await;
    strip_says(&browser, "sw-001: Locked by somebody else since ").await;
    strip_says(&browser, "next attempt ").await;
    let wide = browser.script("return document.documentElement.scrollWidth <= window.innerWidth").await;
    assert_eq!(wide, true, "it fits a phone");
    for path in PAGES {
        page_says(&serve, path, "Locked by somebody else").await;
    }
    let address = page(&serve, &format!("/vmacs/{}", world.address(0, 1))).await;
    assert!(address.contains("Waiting for ") && address.contains("next attempt "), "{address}");
    let row = page(&serve, "/switches/sw-001").await;
    assert!(row.contains("Its work has been waiting since ") && row.contains("next attempt "), "{row}");
    switch.operator_unlock();
    world.until("active", 1).await;
    strip_says(&browser, "Switches reachable").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_not_heard_of_any_more_is_named_and_one_that_stopped_in_order_is_not() {
    let world = World::real(1, 1).await;
    let serve = world.serve().await;
    let (mut killed, mut stopped) = (world.serve().await, world.serve().await);
    page_says(&serve, "/", "Workers 3 of 3").await;
    stopped.sigterm();
    assert!(stopped.wait().await.success());
    page_says(&serve, "/", "Workers 2 of 2").await;
    killed.kill9();
    // As if all had started, and this one had gone, a while ago.
    let database = world.database();
    database.execute("UPDATE workers SET started_at_ms = started_at_ms - 600000".to_owned()).await;
    let name = format!("%/{}/%", killed.pid());
    world
        .database()
        .execute(format!("UPDATE workers SET heard_at_ms = heard_at_ms - 60000 WHERE name LIKE '{name}'"))
        .await;
    for path in PAGES {
        page_says(&serve, path, "was last heard from at ").await;
    }
    page_says(&serve, "/", "Workers 1 of 2").await;
    page_says(&serve, "/health", "silent").await;
    let again = world.serve().await;
    eventually_within(Duration::from_secs(20), "its successor stands for it", async || {
        page(&again, "/").await.contains("Workers 2 of 2")
    })
    .await;
}
