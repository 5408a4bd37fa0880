//! Logins to the pages: what the cookie is, and how each ends.

use sqlx::Row;

use crate::scenario::world::World;
use crate::support::eventually;
use crate::support::http::{Ask, ask, ask_without_following};
use crate::support::vmacd::{Serve, Settings};

const TOKEN: &str = "t0ken-of-the-pages-which-is-long";

/// Shows the token, and gives the cookie that comes back.
async fn log_in(serve: &Serve) -> String {
    let form = vec![("content-type", "application/x-www-form-urlencoded".to_owned())];
    let body = Some(format!("token={TOKEN}&next=/healthz"));
    let url = format!("{}/login", serve.http_url());
    let answer = ask_without_following(&url, Ask { method: "POST", headers: form, body }).await;
    let cookie = answer.header("set-cookie").expect("a cookie");
    assert!(!cookie.contains(TOKEN), "{cookie}");
    cookie.split(';').next().expect("a pair").to_owned()
}

/// Whether the cookie opens the pages; `is_use` is false for what an open page fetches by itself.
async fn opens(serve: &Serve, cookie: &str, is_use: bool) -> bool {
    let mut headers = vec![("cookie", cookie.to_owned())];
    headers.extend((!is_use).then(|| ("x-vmacd-refresh", "1".to_owned())));
    let answer = ask(&format!("{}/switches", serve.http_url()), Ask { headers, ..Ask::default() }).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body.contains("Log out")
}

async fn log_out(serve: &Serve, cookie: &str) {
    let asking = Ask { method: "POST", headers: vec![("cookie", cookie.to_owned())], ..Ask::default() };
    assert_eq!(ask(&format!("{}/logout", serve.http_url()), asking).await.status, 200);
}

fn with_token(world: &World, token: &str) -> Settings {
    world.settings.clone().set("VMACD_API_TOKEN", token)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_ends_at_logout_unused_with_its_age_and_with_another_token() {
    let world = World::real(1, 1).await;
    let settings = with_token(&world, TOKEN);
    let serve = Serve::start(&settings).await;
    let (first, second) = (log_in(&serve).await, log_in(&serve).await);
    assert_ne!(first, second, "a cookie is random");
    assert!(opens(&serve, &first, true).await && opens(&serve, &second, true).await);
    log_out(&serve, &first).await;
    assert!(!opens(&serve, &first, true).await, "a copy of the cookie opens nothing");
    assert!(opens(&serve, &second, true).await, "others stay logged in");
    let other = Serve::start(&with_token(&world, "another-token-that-is-long-too")).await;
    assert!(!opens(&other, &second, true).await, "it was for the token of before");
    let idle = Serve::start(&settings.clone().set("VMACD_HTTP_SESSION_IDLE_MS", 2_000)).await;
    let unused = log_in(&idle).await;
    eventually("an open page that nobody uses is logged out", async || !opens(&idle, &unused, false).await).await;
    let old = Serve::start(&settings.clone().set("VMACD_HTTP_SESSION_AGE_MAX_MS", 2_000)).await;
    let used = log_in(&old).await;
    eventually("a login ends however much it is used", async || !opens(&old, &used, true).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_holds_at_every_worker_and_over_a_restart_and_the_database_holds_no_cookie() {
    let world = World::real(1, 1).await;
    let settings = with_token(&world, TOKEN);
    let mut serve = Serve::start(&settings).await;
    let cookie = log_in(&serve).await;
    serve.kill9();
    let others = (Serve::start(&settings).await, Serve::start(&settings).await);
    assert!(opens(&others.0, &cookie, true).await && opens(&others.1, &cookie, true).await);
    let secret = cookie.split_once('=').expect("a pair").1;
    assert_eq!(secret.len(), 64, "32 bytes at random");
    let held = sqlx::query("SELECT key FROM page_sessions").fetch_all(&mut world.database().connect().await).await;
    let held: Vec<String> = held.expect("rows").iter().map(|row| row.get(0)).collect();
    assert!(held.len() == 1 && !held[0].contains(secret), "{held:?}");
    log_out(&others.0, &cookie).await;
    assert!(!opens(&others.1, &cookie, true).await);
}
