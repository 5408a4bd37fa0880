//! Someone on call, in a browser: finds a failed address, reads why, replays it, sees it become active.

use std::path::Path;

use fantoccini::key::Key;

use super::refused_by_the_switch;
use crate::scenario::world::World;
use crate::support::browser::Browser;
use crate::support::eventually;

/// A desk's window, and a phone's.
const DESK: (u32, u32) = (1100, 760);
const PHONE: (u32, u32) = (390, 800);

/// Keeps a picture for the README, where the documentation is to be written anew.
async fn keep(browser: &Browser, name: &str) {
    let picture = browser.picture().await;
    assert!(picture.starts_with(b"\x89PNG"), "{name} is no picture");
    if std::env::var_os("VMACD_TEST_UPDATE_DOCS").is_some() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/screenshots");
        std::fs::write(folder.join(name).with_extension("png"), picture).expect("the documentation is writable");
    }
}

/// A day at work: addresses that are active, and one that a switch refused.
async fn busy_world() -> (World, crate::support::vmacd::Serve, String) {
    let world = World::embedded(3, 3).await;
    let serve = world.serve().await;
    for index in 0..9 {
        let body = world.body(index, 1);
        assert_eq!(crate::api::call(&serve, "POST", "/vmacs", Some(body)).await.status, 202);
    }
    world.until("active", 9).await;
    let address = refused_by_the_switch(&world, &serve, 2).await;
    (world, serve, address)
}

#[tokio::test]
async fn someone_finds_a_failed_address_reads_why_replays_it_and_sees_it_become_active() {
    let (_world, serve, address) = busy_world().await;
    let browser = Browser::start(DESK.0, DESK.1).await;
    browser.open(&serve.http_url()).await;
    browser.says("refused_by_switch").await;
    keep(&browser, "overview").await;
    let search = browser.element("input[name=q]").await;
    search.send_keys(&format!("{address}{}", char::from(Key::Enter))).await.expect("typed");
    browser.says(&address).await;
    browser.says("failed").await;
    browser.says("sw-001").await;
    let text = browser.text().await;
    assert!(text.contains("refused_by_switch: "), "the reason in words: {text}");
    keep(&browser, "failed").await;
    browser.script("window.pressed = false").await;
    browser.press("form[action='/dead-letters/replay'] button").await;
    // Whatever the page that the button leads to says from here on came without anybody loading it again.
    eventually("the button leads back", async || browser.script("return window.pressed === undefined").await == true)
        .await;
    browser.script("window.untouched = true").await;
    browser.says("active").await;
    browser.element(".status.active").await;
    assert_eq!(browser.script("return window.untouched").await, true, "it was loaded again");
    assert!(!browser.text().await.contains("Dead letters of this address"), "the letter waits no more");
    browser.press("a[href^='/pushes/']").await;
    browser.says("Push to").await;
    browser.says(&format!("+ ge-0/0/0.0 {address}")).await;
    keep(&browser, "push").await;
}

#[tokio::test]
async fn every_page_fits_a_phone() {
    let (_world, serve, address) = busy_world().await;
    let browser = Browser::start(PHONE.0, PHONE.1).await;
    for path in [
        "/",
        "/vmacs",
        &format!("/vmacs/{address}"),
        "/dead-letters",
        "/switches",
        "/switches/sw-001",
        "/backups/1",
        "/webhooks",
        "/api/v1/docs",
        "/nope",
    ] {
        browser.open(&format!("{}{path}", serve.http_url())).await;
        browser.element("main h1").await;
        let (wide, window) = (
            browser.script("return document.documentElement.scrollWidth").await,
            browser.script("return window.innerWidth").await,
        );
        assert!(wide.as_f64() <= window.as_f64(), "{path} is {wide} wide in a window of {window}");
    }
    browser.open(&format!("{}/vmacs/{address}", serve.http_url())).await;
    keep(&browser, "phone").await;
}

#[tokio::test]
async fn a_cause_is_replayed_as_a_whole_and_the_page_says_how_far_it_is() {
    let (world, serve, _) = busy_world().await;
    refused_by_the_switch(&world, &serve, 3).await;
    let browser = Browser::start(DESK.0, DESK.1).await;
    browser.open(&format!("{}/dead-letters", serve.http_url())).await;
    browser.press("form[action='/dead-letters/replay'] button").await;
    browser.says("Replay done: 2 of 2").await;
    browser.says("No dead letters are waiting.").await;
    world.until("active", 11).await;
}
