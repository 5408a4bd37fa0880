//! Who may see the pages, what they never let through, and how they end.

use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::scenario::world::World;
use crate::support::http::{Ask, ask, ask_without_following, get};
use crate::support::vmacd::Serve;
use crate::support::{eventually, eventually_within};

const TOKEN: &str = "s3cr3t-of-the-pages";

fn form(body: &str) -> Ask {
    let headers = vec![("content-type", "application/x-www-form-urlencoded".to_owned())];
    Ask { method: "POST", headers, body: Some(body.to_owned()) }
}

async fn plain(url: &str, headers: Vec<(&'static str, String)>) -> crate::support::http::Answer {
    ask(url, Ask { headers, ..Ask::default() }).await
}

#[tokio::test]
async fn the_token_is_asked_for_once_and_kept_as_a_cookie() {
    let mut world = World::embedded(1, 1).await;
    world.settings = world.settings.clone().set("VMACD_API_TOKEN", TOKEN);
    let serve = world.serve().await;
    let url = serve.http_url();
    let asked = get(&format!("{url}/vmacs?status=failed"), None).await;
    assert!(asked.body.contains("name=\"token\"") && asked.body.contains("/vmacs?status=failed"), "{asked:?}");
    let wrong = ask(&format!("{url}/login"), form("token=wrong&next=/")).await;
    assert!(wrong.status == 401 && wrong.body.contains("Wrong token"), "{wrong:?}");
    let right = ask_without_following(&format!("{url}/login"), form(&format!("token={TOKEN}&next=/vmacs"))).await;
    let cookie = right.header("set-cookie").expect("a cookie").to_owned();
    assert_eq!((right.status, right.header("location")), (303, Some("/vmacs")));
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict") && !cookie.contains(TOKEN), "{cookie}");
    let pair = cookie.split(';').next().expect("a pair").to_owned();
    let shown = plain(&format!("{url}/"), vec![("cookie", pair.clone())]).await;
    assert!(shown.body.contains("Newest virtual MACs") && shown.body.contains("Log out"), "{shown:?}");
    let left = ask_without_following(&format!("{url}/logout"), form("")).await;
    assert!(left.header("set-cookie").is_some_and(|cookie| cookie.contains("Max-Age=0")), "{left:?}");
    let api = plain(&format!("{url}/api/v1/vmacs"), vec![("cookie", pair)]).await;
    assert_eq!(api.status, 401, "the API is asked with its token alone");
    assert!(!serve.log().contains(TOKEN));
}

/// As a browser asks for a page.
fn browser() -> (&'static str, String) {
    ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8".to_owned())
}

#[tokio::test]
async fn the_documentation_of_the_api_is_there_for_who_is_logged_in() {
    let mut world = World::embedded(1, 1).await;
    world.settings = world.settings.clone().set("VMACD_API_TOKEN", TOKEN);
    let serve = world.serve().await;
    let url = serve.http_url();
    let documents =
        ["/api/v1/docs", "/api/v1/openapi.json", "/api/v1/asyncapi.json", "/api/v1/schemas/vmac.create.json"];
    for path in documents {
        let asked = plain(&format!("{url}{path}"), vec![browser()]).await;
        assert!(asked.status == 200 && asked.body.contains("name=\"token\""), "{path} asks for the token: {asked:?}");
    }
    let logged_in = ask_without_following(&format!("{url}/login"), form(&format!("token={TOKEN}"))).await;
    let cookie =
        logged_in.header("set-cookie").and_then(|cookie| cookie.split(';').next()).expect("a cookie").to_owned();
    let page = plain(&format!("{url}/"), vec![browser(), ("cookie", cookie.clone())]).await.body;
    assert!(page.contains("href=\"/api/v1/docs\""), "{page}");
    for path in documents {
        let shown = plain(&format!("{url}{path}"), vec![browser(), ("cookie", cookie.clone())]).await;
        assert!(shown.status == 200 && !shown.body.contains("name=\"token\""), "{path}: {shown:?}");
        assert_eq!(get(&format!("{url}{path}"), Some(TOKEN)).await.status, 200, "{path} with the token");
    }
    let stale = plain(&format!("{url}/api/v1/openapi.json"), vec![("cookie", "vmacd_session=none".to_owned())]).await;
    assert!(stale.body.contains("name=\"token\""), "{stale:?}");
}

#[tokio::test]
async fn what_is_refused_is_a_page_for_a_browser_and_problem_details_for_programs() {
    let mut world = World::embedded(1, 1).await;
    let serve = world.serve().await;
    let url = serve.http_url();
    for (path, status, says) in
        [("/nope", 404, "/nope"), ("/dead-letters/replay", 405, "GET"), ("/vmacs/nope", 400, "nope")]
    {
        let page = plain(&format!("{url}{path}"), vec![browser()]).await;
        let is_page = page.header("content-type").is_some_and(|kind| kind.starts_with("text/html"));
        assert!(page.status == status && is_page, "{path}: {page:?}");
        assert!(page.body.contains("<nav>") && page.body.contains(says), "{path}: {page:?}");
        assert!(page.header("content-security-policy").is_some(), "{path}: {page:?}");
    }
    let foreign = vec![browser(), ("origin", "https://evil.example".to_owned())];
    let refused =
        ask(&format!("{url}/dead-letters/discard"), Ask { method: "POST", headers: foreign, body: None }).await;
    assert!(refused.status == 403 && refused.body.contains("<html"), "{refused:?}");
    for (path, accept) in [("/nope", "*/*"), ("/api/v1/nope", "text/html"), ("/hooks/nope", "text/html")] {
        let details = plain(&format!("{url}{path}"), vec![("accept", accept.to_owned())]).await;
        assert_eq!(details.header("content-type"), Some("application/problem+json"), "{path}: {details:?}");
    }
    world.settings = world.settings.clone().set("VMACD_API_TOKEN", TOKEN);
    let guarded = world.serve().await;
    let page = plain(&format!("{}/nope", guarded.http_url()), vec![browser()]).await;
    assert!(page.status == 404 && !page.body.contains("Log out"), "{page:?}");
}

#[tokio::test]
async fn nothing_that_a_message_holds_reaches_a_page_unescaped() {
    let world = World::real(1, 1).await;
    let serve = world.serve().await;
    let hostile = "<script>alert(1)</script>\u{202e}\" onload=\"x";
    let body = serde_json::json!({"server_id": world.server(0), "ip_address": hostile, hostile: 1}).to_string();
    world.publish("vmac.create", Some("<img src=x>"), body.as_bytes()).await;
    let named = serde_json::json!({"server_id": world.server(0), "ip_address": world.address(0, 1),
        "requested_by": "<script>a</script>", "reference": hostile});
    world.publish("vmac.create", Some("m-2"), named.to_string().as_bytes()).await;
    let id = world.until("active", 1).await[0]["id"].clone();
    eventually("the dead letter waits", async || (!world.dead_letters().await.is_empty()).then_some(())).await;
    for path in ["/".to_owned(), "/dead-letters".to_owned(), "/dead-letters/1".to_owned(), format!("/vmacs/{id}")] {
        let page = get(&format!("{}{path}", serve.http_url()), None).await;
        assert_eq!(page.status, 200, "{path}");
        for raw in ["<script>a", "<img", "\u{202e}", "\" onload"] {
            assert!(!page.body.contains(raw), "{path} holds {raw:?}: {}", page.body);
        }
    }
}

#[tokio::test]
async fn pages_of_other_sites_cannot_press_its_buttons() {
    let world = World::embedded(1, 1).await;
    let serve = world.serve().await;
    let mut foreign = form("reason=unreachable&back=/");
    foreign.headers.push(("origin", "https://evil.example".to_owned()));
    for path in ["/dead-letters/discard", "/dead-letters/replay", "/logout"] {
        let answer = ask(&format!("{}{path}", serve.http_url()), foreign.clone()).await;
        assert_eq!(answer.status, 403, "{path}: {answer:?}");
    }
    let open = get(&format!("{}/", serve.http_url()), None).await;
    assert!(!open.body.contains("Log out"), "there is nothing to log out of");
}

/// Opens `/live` and gives its lines.
async fn watch(serve: &Serve) -> tokio::io::Lines<BufReader<TcpStream>> {
    let host = serve.http_url().trim_start_matches("http://").to_owned();
    let mut stream = TcpStream::connect(&host).await.expect("it takes connections");
    let request = format!("GET /live HTTP/1.1\r\nHost: {host}\r\nAccept: text/event-stream\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    BufReader::new(stream).lines()
}

async fn until_changed(lines: &mut tokio::io::Lines<BufReader<TcpStream>>) {
    while let Some(line) = lines.next_line().await.expect("it goes on") {
        if line == "event: changed" {
            return;
        }
    }
    panic!("it ended before anything changed");
}

#[tokio::test]
async fn who_watches_is_told_and_let_go_when_the_service_stops() {
    let world = World::embedded(1, 1).await;
    let mut serve = world.serve().await;
    let mut lines = watch(&serve).await;
    until_changed(&mut lines).await;
    assert_eq!(crate::api::call(&serve, "POST", "/vmacs", Some(world.body(0, 1))).await.status, 202);
    until_changed(&mut lines).await;
    let began = Instant::now();
    serve.sigterm();
    eventually_within(Duration::from_secs(20), "the stream ends", async || {
        lines.next_line().await.ok().flatten().is_none().then_some(())
    })
    .await;
    assert!(serve.wait().await.success());
    assert!(began.elapsed() < Duration::from_secs(20), "it took {:?}", began.elapsed());
}
