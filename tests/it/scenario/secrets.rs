//! Secrets never print: a full run at the chattiest log level, and everything it wrote, searched for them.

use futures_util::future::join_all;
use vmacd::sim::Options;

use super::world::World;
use crate::support::http::{Ask, ask, ask_without_following, get};
use crate::support::postgres::fresh_database;
use crate::support::vmacd::{Output, Serve, Settings, run};

const SECRET: &str = "s3cret-of-the-switch";
const OTHER: &str = "s3cret-of-the-api";
const GUESS: &str = "gu3ss-of-somebody";

#[tokio::test]
async fn no_secret_is_in_any_output_or_log_of_a_full_run() {
    let mut world = World::real_with(Options {
        switches: 1,
        ports_per_switch: 1,
        password: SECRET.to_owned(),
        ..Options::default()
    })
    .await;
    let database = world.settings.get("VMACD_DATABASE_URL").expect("a URL").to_owned();
    let of_database =
        database.split(':').nth(2).and_then(|rest| rest.split('@').next()).expect("a password").to_owned();
    world.settings = world
        .settings
        .clone()
        .set("VMACD_SSH_PASSWORD", SECRET)
        .set("VMACD_API_TOKEN", OTHER)
        .set("VMACD_LOG", "trace,russh=debug,sqlx=trace,lapin=trace")
        .set("VMACD_LOG_FORMAT", "json");
    let mut serve = world.serve().await;
    // At this level others say `ready` too.
    serve.wait_for_line("\"message\":\"ready\"").await;
    world.command("create", 0, 1, "m-1").await;
    world.until("active", 1).await;
    world.switches()[0].set_fault("auth_rejected@1").expect("a fault");
    world.command("revoke", 0, 1, "m-2").await;
    world.until("revoked", 1).await;
    let session = log_in_and_guess(&serve).await;
    let mut written = vec![outputs(&world).await];
    serve.sigterm();
    serve.wait().await;
    written.push(serve.log());
    for secret in [SECRET, OTHER, &of_database, GUESS, &session] {
        for text in &written {
            let at = text.find(secret).map(|at| text[at.saturating_sub(200)..].chars().take(260).collect::<String>());
            assert_eq!(at, None, "a secret is shown");
        }
    }
}

/// Shows the token and a wrong one at every door, and gives what the cookie holds.
async fn log_in_and_guess(serve: &Serve) -> String {
    let form = vec![("content-type", "application/x-www-form-urlencoded".to_owned())];
    let login = format!("{}/login", serve.http_url());
    let enter = |token: &str| Ask { method: "POST", headers: form.clone(), body: Some(format!("token={token}")) };
    assert_eq!(ask(&login, enter(GUESS)).await.status, 401);
    assert_eq!(get(&format!("{}/api/v1/vmacs", serve.http_url()), Some(GUESS)).await.status, 401);
    let cookie = ask_without_following(&login, enter(OTHER)).await.header("set-cookie").expect("a cookie").to_owned();
    let pair = cookie.split(';').next().expect("a pair").to_owned();
    let page = Ask { headers: vec![("cookie", pair.clone())], ..Ask::default() };
    assert!(ask(&serve.http_url(), page).await.body.contains("Log out"));
    pair.split_once('=').expect("a pair").1.to_owned()
}

/// What the verbs print, with data, in error, and of a database that is not there.
async fn outputs(world: &World) -> String {
    let mut text = String::new();
    let elsewhere = world.settings.clone().set("VMACD_DATABASE_URL", format!("postgres://u:{SECRET}@127.0.0.1:1/none"));
    let no_broker = world.settings.clone().set("VMACD_AMQP_URL", format!("amqp://u:{SECRET}@127.0.0.1:1/none"));
    let create = ["create", "--server", "1001", "--ip", "10.0.0.9"];
    let verbs: [&[&str]; 7] = [
        &["config"],
        &["list"],
        &["show", "10.0.0.2"],
        &["switches", "list"],
        &["switches", "check", "sw-001"],
        &["inventory", "export"],
        &["backups", "show", "1"],
    ];
    let on_all = verbs.into_iter().map(|verb| (verb, &world.settings));
    let runs = on_all.chain([(&["list"][..], &elsewhere), (&create[..], &no_broker), (&create[..], &world.settings)]);
    for (verb, settings) in runs {
        let Output { stdout, stderr, .. } = run(verb, settings).await;
        text.extend([stdout, stderr]);
    }
    assert!(text.contains("sw-001") && text.contains("127.0.0.1:1"), "the verbs said something");
    text
}

/// What belongs before the first `@`, `/`, `?` or `#` of a password, and after it.
const HALVES: [&str; 2] = ["s3cretBefore", "s3cretAfter"];

#[tokio::test]
async fn no_password_is_shown_however_it_is_written() {
    let database = fresh_database().await;
    let (login, place) =
        database.url().split_once('@').map(|(login, place)| (login.to_owned(), place.to_owned())).expect("a URL");
    let user = login.rsplit_once(':').expect("a password").0.to_owned();
    let [before, after] = HALVES;
    let mut texts = Vec::new();
    for middle in ["/", "?", "#", "@", ":", "%2F", ":12/", "\n", "\\", "[", ", expected "] {
        let password = format!("{before}{middle}{after}");
        let mut settled = Vec::new();
        for (variable, url) in [
            ("VMACD_DATABASE_URL", format!("{user}:{password}@{place}")),
            ("VMACD_DATABASE_URL", format!("{login}@{place}?sslpassword={password}")),
            ("VMACD_DATABASE_URL", format!("host=127.0.0.1 password={password}")),
            ("VMACD_DATABASE_URL", format!("{password}://x")),
            ("VMACD_AMQP_URL", format!("amqp://u:{password}@127.0.0.1:1/v")),
            ("VMACD_AMQP_URL", format!("amqp://:{password}@[::1]:1/v")),
            ("VMACD_AMQP_URL", format!("amqp://u:1{middle}{after}@127.0.0.1:1,amqp://u:{password}@127.0.0.1:2")),
            ("VMACD_TELEMETRY_OTLP_ENDPOINT", format!("http://u:{password}@127.0.0.1:1")),
            ("VMACD_API_TOKEN_FILE", password.clone()),
        ] {
            let settings = Settings::new().set("VMACD_DATABASE_URL", database.url()).set("VMACD_LOG", "trace");
            settled.push((settings.set(variable, &url), format!("{variable}={url}")));
        }
        let runs = settled.iter().map(async |(settings, what)| {
            let shown = run(&["config"], settings).await;
            let tried = run(&["create", "--server", "1", "--ip", "10.0.0.9"], settings).await;
            (what.clone(), shown.stdout + &shown.stderr + &tried.stdout + &tried.stderr)
        });
        texts.extend(join_all(runs).await);
    }
    for (what, text) in &texts {
        assert!(HALVES.iter().all(|half| !text.contains(half)), "{what}: {text}");
    }
    let refusals = texts.iter().filter(|(_, text)| text.contains("percent-encoded")).count();
    assert!(refusals > 15, "only {refusals} of {} say what to do", texts.len());
}
