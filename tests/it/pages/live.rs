//! Pages that renew themselves, in a browser: it hands on an event only where the event has data.

use std::time::Duration;

use crate::scenario::world::World;
use crate::support::browser::Browser;
use crate::support::{eventually, eventually_within};

/// What the sign says, and whether it is green.
pub async fn sign(browser: &Browser) -> (String, bool) {
    let said =
        browser.script("const sign = document.getElementById('live'); return [sign.textContent, sign.className]");
    let said = said.await;
    (said[0].as_str().unwrap_or_default().to_owned(), said[1] == "on")
}

pub async fn until_live(browser: &Browser) {
    eventually("the page is live", async || {
        let (text, green) = sign(browser).await;
        if text.starts_with("Live ") && green { Ok(()) } else { Err(text) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_on_the_screen_within_two_seconds() {
    let world = World::embedded(1, 1).await;
    let serve = world.serve().await;
    let browser = Browser::start(1100, 760).await;
    browser.open(&format!("{}/vmacs", serve.http_url())).await;
    until_live(&browser).await;
    browser.script("window.untouched = true; document.querySelector('main').tabIndex = -1").await;
    browser.script("document.querySelector('nav a').focus()").await;
    for number in 1..=3 {
        let address = world.address(0, number);
        assert_eq!(crate::api::call(&serve, "POST", "/vmacs", Some(world.body(0, number))).await.status, 202);
        // From here on it is in the database, wherever the worker is.
        eventually("the row is there", async || {
            crate::api::call(&serve, "GET", &format!("/vmacs/{address}"), None).await.status == 200
        })
        .await;
        eventually_within(Duration::from_secs(2), "the address is on the screen", async || {
            browser.text().await.contains(&address)
        })
        .await;
    }
    assert_eq!(browser.script("return window.untouched").await, true, "the page was loaded again");
    let focused = browser.script("return document.activeElement.matches('nav a')").await;
    assert_eq!(focused, true, "the focus stays where it was");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sign_is_not_green_while_the_service_is_away_and_what_was_shown_stays() {
    let world = World::embedded(1, 1).await;
    let mut serve = world.serve().await;
    let browser = Browser::start(1100, 760).await;
    assert_eq!(crate::api::call(&serve, "POST", "/vmacs", Some(world.body(0, 1))).await.status, 202);
    world.until("active", 1).await;
    browser.open(&format!("{}/vmacs", serve.http_url())).await;
    until_live(&browser).await;
    serve.kill9();
    eventually("the sign says so", async || {
        let (text, green) = sign(&browser).await;
        if text.starts_with("Not live: ") && !green { Ok(()) } else { Err(text) }
    })
    .await;
    assert!(browser.text().await.contains(&world.address(0, 1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn updates_pause_while_somebody_types_and_the_sign_says_why() {
    let world = World::embedded(1, 1).await;
    let serve = world.serve().await;
    let browser = Browser::start(1100, 760).await;
    browser.open(&format!("{}/vmacs", serve.http_url())).await;
    until_live(&browser).await;
    browser.script("document.querySelector('main input[name=switch]').focus()").await;
    assert_eq!(crate::api::call(&serve, "POST", "/vmacs", Some(world.body(0, 1))).await.status, 202);
    eventually("the sign says so", async || {
        let (text, green) = sign(&browser).await;
        if text.starts_with("Updates paused while you type") && !green { Ok(()) } else { Err(text) }
    })
    .await;
    browser.script("document.activeElement.blur()").await;
    browser.says(&world.address(0, 1)).await;
}
