//! What must hold of every page: it answers, its links lead somewhere, it runs no script but its own.

use std::collections::BTreeSet;

use super::refused_by_the_switch;
use crate::scenario::world::World;
use crate::support::http::get;
use crate::support::vmacd::Serve;

/// The local addresses that a page links to.
fn links(page: &str) -> BTreeSet<String> {
    let marks = ["href=\"", "src=\""];
    let values = marks.iter().flat_map(|mark| page.split(mark).skip(1));
    let paths = values.filter_map(|rest| rest.split('"').next()).filter(|path| path.starts_with('/'));
    paths.map(|path| path.replace("&amp;", "&")).collect()
}

async fn walk(serve: &Serve) -> BTreeSet<String> {
    let (mut seen, mut left) = (BTreeSet::new(), vec!["/".to_owned()]);
    while let Some(path) = left.pop() {
        if !seen.insert(path.clone()) {
            continue;
        }
        let answer = get(&format!("{}{path}", serve.http_url()), None).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        if answer.header("content-type").is_some_and(|kind| kind.starts_with("text/html")) && !path.starts_with("/api")
        {
            let policy = answer.header("content-security-policy").expect("a policy");
            assert!(policy.contains("default-src 'none'") && policy.contains("script-src 'self'"), "{path}: {policy}");
            left.extend(links(&answer.body));
        }
    }
    seen
}

#[tokio::test]
async fn every_link_leads_somewhere() {
    for world in [World::embedded(2, 2).await, World::real(2, 2).await] {
        let serve = world.serve().await;
        refused_by_the_switch(&world, &serve, 1).await;
        assert_eq!(crate::api::call(&serve, "POST", "/vmacs", Some(world.body(1, 1))).await.status, 202);
        assert_eq!(crate::api::call(&serve, "POST", "/vmacs", Some(world.body(0, 2))).await.status, 202);
        world.until("active", 2).await;
        let seen = walk(&serve).await;
        for kind in ["/vmacs/", "/dead-letters/", "/switches/", "/pushes/", "/backups/", "/assets/"] {
            assert!(seen.iter().any(|path| path.starts_with(kind)), "no link to a page under {kind}: {seen:?}");
        }
    }
}

#[tokio::test]
async fn what_is_looked_for_is_found_by_address_mac_server_or_switch() {
    let world = World::embedded(1, 1).await;
    let serve = world.serve().await;
    assert_eq!(crate::api::call(&serve, "POST", "/vmacs", Some(world.body(0, 1))).await.status, 202);
    let row = world.until("active", 1).await.remove(0);
    let (address, mac) = (world.address(0, 1), row["mac_address"].as_str().expect("a MAC").to_owned());
    for (wanted, found) in [
        (address.clone(), address.clone()),
        (mac.clone(), mac),
        (world.server(0).to_string(), address.clone()),
        (world.switch_of(0), "Latest pushes".to_owned()),
    ] {
        let answer = get(&format!("{}/find?q={wanted}", serve.http_url()), None).await;
        assert!(answer.status == 200 && answer.body.contains(&found), "{wanted}: {answer:?}");
    }
    let part = address.rsplit_once('.').map(|(part, _)| part.to_owned()).expect("octets");
    for part in
        [part.clone(), format!("{part}.0%2F24"), "02%3A".to_owned() + &world_mac_start(&row), "sw-00".to_owned()]
    {
        let answer = get(&format!("{}/find?q={part}", serve.http_url()), None).await;
        assert!(answer.status == 200 && (answer.body.contains(&address) || part == "sw-00"), "{part}: {answer:?}");
    }
    let nothing = get(&format!("{}/find?q=%3Cb%3E", serve.http_url()), None).await;
    assert!(nothing.status == 404 && nothing.body.contains("`&lt;b&gt;`"), "{nothing:?}");
}

/// The second and third octet of the row's MAC.
fn world_mac_start(row: &serde_json::Value) -> String {
    row["mac_address"].as_str().and_then(|mac| mac.get(3..8)).expect("a MAC").replace(':', "%3A")
}

#[tokio::test]
async fn a_search_that_may_mean_several_things_shows_them_and_an_order_is_found_by_its_number() {
    let world = World::embedded(1, 1).await;
    let serve = world.serve().await;
    for number in 1..=2 {
        let mut body = world.body(0, number);
        body["reference"] = format!("order 778{number}").into();
        assert_eq!(crate::api::call(&serve, "POST", "/vmacs", Some(body)).await.status, 202);
    }
    world.until("active", 2).await;
    let found = async |text: &str| get(&format!("{}/find?q={text}", serve.http_url()), None).await.body;
    let both = found("order%20778").await;
    assert!(both.contains("2 in all") && both.contains(&world.address(0, 1)), "{both}");
    let one = found("7782").await;
    assert!(one.contains(&format!("<h1>{}</h1>", world.address(0, 2))), "{one}");
    let listed = get(&format!("{}/vmacs?q=7781", serve.http_url()), None).await.body;
    assert!(listed.contains("1 in all") && listed.contains("value=\"7781\""), "{listed}");
    let api = crate::api::call(&serve, "GET", "/vmacs?q=order%20778&limit=1", None).await.json();
    assert_eq!((api["total"].as_i64(), api["items"].as_array().map(Vec::len)), (Some(2), Some(1)), "{api}");
    let none = get(&format!("{}/vmacs?q=nothing", serve.http_url()), None).await.body;
    assert!(none.contains("No virtual MAC matches."), "{none}");
}

#[tokio::test]
async fn lists_are_shown_in_pages_newest_first() {
    let world = World::embedded(1, 1).await;
    let serve = world.serve().await;
    for number in 1..=60 {
        assert_eq!(crate::api::call(&serve, "POST", "/vmacs", Some(world.body(0, number))).await.status, 202);
    }
    world.until("active", 60).await;
    let rows = |page: &str| page.matches("data-label=\"Address\"").count();
    let first = get(&format!("{}/vmacs?status=active", serve.http_url()), None).await.body;
    let next = links(&first).into_iter().find(|path| path.contains("after=")).expect("more");
    let second = get(&format!("{}{next}", serve.http_url()), None).await.body;
    assert_eq!((rows(&first), rows(&second)), (50, 10));
    assert!(first.contains("50 of 60 shown") && !second.contains(">More<"), "{second}");
    assert!(first.contains(&world.address(0, 60)) && second.contains(&world.address(0, 1)));
}
