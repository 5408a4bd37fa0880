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
        (world.server(0).to_string(), address),
        (world.switch_of(0), "Latest pushes".to_owned()),
    ] {
        let answer = get(&format!("{}/find?q={wanted}", serve.http_url()), None).await;
        assert!(answer.status == 200 && answer.body.contains(&found), "{wanted}: {answer:?}");
    }
    let nothing = get(&format!("{}/find?q=%3Cb%3E", serve.http_url()), None).await;
    assert!(nothing.status == 404 && nothing.body.contains("`&lt;b&gt;`"), "{nothing:?}");
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
    assert!(first.contains(&world.address(0, 60)) && second.contains(&world.address(0, 1)));
}
