//! Tokens with roles: what each may ask, over the API and on the pages, and what the log says of it.

use serde_json::{Value, json};

use crate::scenario::world::World;
use crate::support::http::{Answer, Ask, ask, ask_without_following, get};
use crate::support::table::{assert_documented, markdown};
use crate::support::vmacd::{Serve, run};

const FIRST: &str = "t0ken-of-the-first-admin-which-is-long";
const ROLES: [&str; 4] = ["viewer", "producer", "operator", "admin"];

/// A world whose API asks for a token, and its worker.
async fn guarded() -> (World, Serve) {
    let mut world = World::embedded(1, 2).await;
    world.settings = world.settings.clone().set("VMACD_API_TOKEN", FIRST);
    let serve = world.serve().await;
    (world, serve)
}

/// Makes a token at the command line; its secret.
async fn token(world: &World, name: &str, role: &str) -> String {
    let made = world.vmacd(&["tokens", "create", name, "--role", role]).await;
    made["secret"].as_str().expect("a secret").to_owned()
}

async fn send(serve: &Serve, token: &str, method: &'static str, path: &str, body: Option<Value>) -> Answer {
    let mut headers = vec![("authorization", format!("Bearer {token}"))];
    headers.extend(body.as_ref().map(|_| ("content-type", "application/json".to_owned())));
    let body = body.map(|body| body.to_string());
    ask(&format!("{}{path}", serve.http_url()), Ask { method, headers, body }).await
}

/// The path with a name that nothing has in place of each parameter.
fn filled(path: &str) -> String {
    let part = |part: &str| match part {
        "{id}" => "999999".to_owned(),
        "{ip}" => "10.255.255.1".to_owned(),
        part if part.starts_with('{') => "nobody".to_owned(),
        part => part.to_owned(),
    };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

fn method(name: &str) -> &'static str {
    ["GET", "POST", "PUT", "DELETE", "PATCH"].into_iter().find(|known| known.eq_ignore_ascii_case(name)).expect("known")
}

#[tokio::test(flavor = "multi_thread")]
async fn no_role_may_do_more_or_less_than_its_row_says_on_any_route() {
    let (world, serve) = guarded().await;
    let mut secrets = Vec::new();
    for role in ROLES {
        secrets.push((role, token(&world, role, role).await));
    }
    let document = send(&serve, FIRST, "GET", "/api/v1/openapi.json", None).await.json();
    let mut asked = 0;
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for (name, operation) in methods.as_object().expect("methods") {
            let allowed: Vec<&str> =
                operation["x-roles"].as_array().expect("roles").iter().filter_map(Value::as_str).collect();
            assert!(allowed.contains(&"admin"), "{path}");
            for (role, secret) in &secrets {
                let body = (name != "get").then(|| json!({"unknown": true}));
                let answer = send(&serve, secret, method(name), &filled(path), body).await;
                let is_refused = answer.status == 403 && answer.json()["code"] == "forbidden";
                assert_eq!(is_refused, !allowed.contains(role), "{role} {name} {path}: {answer:?}");
                assert_ne!(answer.status, 401, "{role} {name} {path}");
                asked += 1;
            }
        }
    }
    assert!(asked > 140, "{asked}");
    for role in ["viewer", "operator", "admin", "producer"] {
        let secret = &secrets.iter().find(|(known, _)| *known == role).expect("made").1;
        let status = send(&serve, secret, "GET", "/metrics", None).await.status;
        assert_eq!(status, if role == "producer" { 403 } else { 200 }, "{role}");
    }
}

#[tokio::test]
async fn the_page_about_access_has_every_route_with_its_roles() {
    let world = World::embedded(1, 1).await;
    let serve = world.serve().await;
    let document = get(&format!("{}/api/v1/openapi.json", serve.http_url()), None).await.json();
    let mut rows = Vec::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for (name, operation) in methods.as_object().expect("methods") {
            let roles = operation["x-roles"].as_array().expect("roles");
            let mark = |role: &&str| if roles.contains(&json!(role)) { "yes".to_owned() } else { String::new() };
            let route = [format!("`{} {path}`", name.to_uppercase())];
            rows.push(route.into_iter().chain(ROLES.iter().map(mark)).collect());
        }
    }
    let head = ["request", "viewer", "producer", "operator", "admin"];
    assert_documented("docs/ACCESS.md", "roles", &markdown(&head, &rows));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_by_the_token_that_made_it_unless_it_says_another() {
    let (world, serve) = guarded().await;
    let billing = token(&world, "billing", "producer").await;
    for (number, said) in [(1, None), (2, Some("panel"))] {
        let mut body = json!({"server_id": world.server(0), "ip_address": world.address(0, number)});
        body.as_object_mut().expect("fields").extend(said.map(|by| ("requested_by".to_owned(), json!(by))));
        assert_eq!(send(&serve, &billing, "POST", "/api/v1/vmacs", Some(body)).await.status, 202);
    }
    world.until("active", 2).await;
    for (number, by) in [(1, "billing"), (2, "panel")] {
        let row = send(&serve, &billing, "GET", &format!("/api/v1/vmacs/{}", world.address(0, number)), None).await;
        assert_eq!(row.json()["requested_by"], by);
    }
    assert_eq!(send(&serve, &billing, "GET", "/api/v1/vmacs", None).await.status, 403, "it lists none");
}

/// Logs in with a token; the cookie, if it was accepted.
async fn log_in(serve: &Serve, token: &str) -> Option<String> {
    let headers = vec![("content-type", "application/x-www-form-urlencoded".to_owned())];
    let asking = Ask { method: "POST", headers, body: Some(format!("token={token}")) };
    let answer = ask_without_following(&format!("{}/login", serve.http_url()), asking).await;
    Some(answer.header("set-cookie")?.split(';').next()?.to_owned())
}

async fn page(serve: &Serve, cookie: &str, method: &'static str, path: &str, form: Option<&str>) -> Answer {
    let mut headers = vec![("cookie", cookie.to_owned()), ("accept", "text/html".to_owned())];
    headers.extend(form.map(|_| ("content-type", "application/x-www-form-urlencoded".to_owned())));
    let asking = Ask { method, headers, body: form.map(str::to_owned) };
    ask_without_following(&format!("{}{path}", serve.http_url()), asking).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_with_a_token_has_its_role_and_ends_with_it() {
    let (world, serve) = guarded().await;
    let (viewer, operator) = (token(&world, "tv-1", "viewer").await, token(&world, "ops-1", "operator").await);
    let viewing = log_in(&serve, &viewer).await.expect("logged in");
    let operating = log_in(&serve, &operator).await.expect("logged in");
    assert_eq!(log_in(&serve, "vmacd_wrong").await, None);
    assert_eq!(page(&serve, &viewing, "GET", "/switches", None).await.status, 200);
    let refused = page(&serve, &viewing, "POST", "/dead-letters/discard", Some("reason=unreachable")).await;
    assert!(refused.status == 403 && refused.body.contains("operator or admin"), "{refused:?}");
    assert_eq!(page(&serve, &viewing, "GET", "/log", None).await.status, 403);
    assert_eq!(page(&serve, &operating, "GET", "/log", None).await.status, 200);
    world.vmacd(&["tokens", "revoke", "tv-1"]).await;
    let ended = page(&serve, &viewing, "GET", "/switches", None).await;
    assert_eq!(ended.status, 303, "asked to log in: {ended:?}");
    assert_eq!(get(&format!("{}/api/v1/switches", serve.http_url()), Some(&viewer)).await.status, 401);
    assert_eq!(page(&serve, &operating, "GET", "/switches", None).await.status, 200, "others stay logged in");
    world.vmacd(&["tokens", "rotate", "ops-1"]).await;
    assert_eq!(page(&serve, &operating, "GET", "/switches", None).await.status, 303, "it was for the secret of before");
}

fn entries(log: &Value) -> Vec<(String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let entries = log.as_array().expect("entries").iter().filter(|entry| entry["action"] != "settings");
    entries.map(|entry| (text(&entry["who"]), text(&entry["via"]), text(&entry["action"]))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_change_is_in_the_log_with_who_made_it_and_a_changed_log_shows() {
    let mut world = World::real(1, 2).await;
    world.settings = world.settings.clone().set("VMACD_API_TOKEN", FIRST);
    world.place(&["ams1"]).await;
    let serve = world.serve().await;
    let ops = token(&world, "ops-1", "operator").await;
    let until = chrono::Utc::now() + chrono::TimeDelta::hours(1);
    let freeze = json!({"until": until, "reason": "upgrade"});
    let frozen = send(&serve, &ops, "PUT", "/api/v1/freezes/ams1", Some(freeze.clone())).await;
    assert_eq!((frozen.status, &frozen.json()["made_by"]), (200, &json!("ops-1")));
    assert_eq!(send(&serve, &ops, "PUT", "/api/v1/freezes/nowhere", Some(freeze)).await.status, 404);
    let cookie = log_in(&serve, &ops).await.expect("logged in");
    assert_eq!(page(&serve, &cookie, "POST", "/freezes/thaw", Some("site=ams1&back=/")).await.status, 303);
    world.vmacd(&["freeze", "ams1", "--until", "2h"]).await;
    let log = send(&serve, &ops, "GET", "/api/v1/audit-log?limit=10", None).await.json();
    let by_ops = |via: &str, action: &str| ("ops-1".to_owned(), via.to_owned(), action.to_owned());
    let found = entries(&log);
    assert_eq!(
        found[1..5],
        [by_ops("page", "freezes thaw"), by_ops("api", "freeze"), by_ops("api", "freeze"), by_ops("api", "freeze")]
    );
    assert_eq!((found[0].1.as_str(), found[0].2.as_str()), ("command line", "freeze"));
    assert_eq!(log[2]["details"]["refused"], 404, "{log}");
    assert_eq!((&log[4]["subject"], &log[4]["details"]["body"]["reason"]), (&json!("ams1"), &json!("upgrade")));
    assert!(!log.to_string().contains(&ops[6..]), "no secret is in it");
    let verified = run(&["audit-log", "verify"], &world.settings).await;
    assert!(verified.ok().contains("none changed or removed"));
    world.database().execute("UPDATE audit_log SET who = 'somebody' WHERE action = 'freeze'".to_owned()).await;
    let broken = run(&["audit-log", "verify"], &world.settings).await;
    assert!(broken.code == Some(2) && broken.stderr.contains("was changed"), "{broken:?}");
    let checked = send(&serve, &ops, "GET", "/api/v1/audit-log/check", None).await.json();
    assert!(checked["fault"].as_str().is_some_and(|fault| fault.contains("was changed")), "{checked}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_with_other_settings_is_in_the_log_with_what_changed_and_no_secret() {
    let (world, serve) = guarded().await;
    drop(serve);
    let again = world.serve().await;
    drop(again);
    let changed = world
        .settings
        .clone()
        .set("VMACD_DRIFT_INTERVAL_MS", 777_000)
        .set("VMACD_API_TOKEN", "another-long-token-which-is-secret");
    let serve = Serve::start(&changed).await;
    let log = get(
        &format!("{}/api/v1/audit-log?action=settings", serve.http_url()),
        Some("another-long-token-which-is-secret"),
    )
    .await;
    let entries = log.json();
    let entries = entries.as_array().expect("entries");
    // Each start here has a port of its own.
    let (first, later) = entries.split_last().expect("the first start");
    assert!(first["details"]["changed"].as_object().expect("an object").is_empty(), "{first}");
    assert!(later.iter().all(|entry| !entry["details"]["changed"].as_object().expect("an object").is_empty()));
    assert_eq!(entries[0]["details"]["changed"]["drift.interval_ms"][1], 777_000);
    assert!(!log.body.contains("another-long-token") && !log.body.contains(FIRST));
}
