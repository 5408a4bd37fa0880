//! What the process says of itself over HTTP, and to whom.

use super::world::World;
use crate::support::http::get;
use crate::support::vmacd::{Serve, Settings, run};
use crate::support::{eventually, free_port};

async fn metrics(serve: &Serve) -> String {
    get(&format!("{}/metrics", serve.http_url()), None).await.body
}

/// The value of the sample that begins with this.
fn value(metrics: &str, sample: &str) -> Option<f64> {
    let line = metrics.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
    line.map(|value| value.parse().expect("a number"))
}

#[tokio::test]
async fn metrics_tell_what_was_done_and_what_is_wrong() {
    let world = World::real(2, 2).await;
    let serve = world.serve().await;
    for number in 1..=3 {
        world.command("create", 0, number, &format!("m-{number}")).await;
    }
    world.until("active", 3).await;
    eventually("the settled messages are counted", async || {
        let text = metrics(&serve).await;
        let done = value(&text, "vmacd_command_seconds_count{action=\"create\"}") == Some(3.0);
        let settled = value(&text, "vmacd_messages_held") == Some(0.0);
        let told = value(&text, "vmacd_events_waiting") == Some(0.0);
        if done && settled && told { Ok(()) } else { Err(text) }
    })
    .await;
    let text = metrics(&serve).await;
    assert_eq!(value(&text, "vmacd_rows_ever"), Some(3.0));
    for (sample, least) in [
        ("vmacd_push_seconds_count", 1.0),
        ("vmacd_push_changes_sum", 3.0),
        ("vmacd_sessions_open", 1.0),
        ("vmacd_up{part=\"database\"}", 1.0),
        ("vmacd_up{part=\"broker\"}", 1.0),
        (&*format!("vmacd_queue_messages{{queue=\"{}vmac.commands\"}}", world.namespace), 0.0),
    ] {
        assert!(value(&text, sample).is_some_and(|value| value >= least), "{sample}: {text}");
    }
    let dead = world.estate.switch(&world.switch_of(3)).expect("a switch");
    dead.stop();
    world.command("create", 3, 1, "m-4").await;
    eventually("the metrics tell of the switch that is away", async || {
        let text = metrics(&serve).await;
        let retried = value(&text, "vmacd_retries_total{code=\"unreachable\"}").unwrap_or(0.0) >= 1.0;
        let failed = value(&text, "vmacd_push_failures_total{code=\"unreachable\"}").unwrap_or(0.0) >= 1.0;
        let waits = value(&text, "vmacd_changes_waiting") == Some(1.0);
        if retried && failed && waits { Ok(()) } else { Err(text) }
    })
    .await;
    dead.start().await.expect("the switch is back");
    world.until("active", 4).await;
}

#[tokio::test]
async fn only_who_shows_the_token_reads_more_than_that_it_lives() {
    let world = World::embedded(1, 1).await;
    let settings = world.settings.clone().set("VMACD_API_TOKEN", "t0ken-of-the-api");
    let serve = Serve::start(&settings).await;
    let ask = async |path: &str, token| get(&format!("{}{path}", serve.http_url()), token).await;
    for path in ["/healthz", "/readyz"] {
        assert_eq!(ask(path, None).await.status, 200, "{path}");
    }
    for token in [None, Some("t0ken"), Some("t0ken-of-the-api-and-more"), Some("")] {
        for path in ["/metrics", "/api/v1/vmacs", "/api/v1/openapi.json"] {
            let answer = ask(path, token).await;
            assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"vmacd\""), "{path} {token:?}");
            assert_eq!(
                (answer.status, answer.json()["code"].as_str()),
                (401, Some("unauthorized")),
                "{path} {token:?}"
            );
        }
    }
    let shown = ask("/metrics", Some("t0ken-of-the-api")).await;
    assert!(shown.status == 200 && shown.body.ends_with("# EOF\n"), "{shown:?}");
}

#[tokio::test]
async fn an_address_that_others_reach_is_not_served_without_a_token() {
    let settings = Settings::new().set("VMACD_HTTP_ADDR", format!("0.0.0.0:{}", free_port()));
    let refused = run(&["serve"], &settings).await;
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("api.token"), "{refused:?}");
}
