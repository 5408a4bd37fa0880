//! Readiness and metrics while something that they tell of says nothing.

use std::time::{Duration, Instant};

use super::{metrics, sample};
use crate::scenario::world::World;
use crate::support::http::{Answer, get};
use crate::support::vmacd::Serve;
use crate::support::{Proxy, Rabbit, eventually};

/// The longest that either may take, however busy the machine of the tests is.
const SOON: Duration = Duration::from_secs(2);

/// Asks, and holds that the answer came soon; the first of a few, because the tests' machine has pauses of its own.
async fn soon(serve: &Serve, path: &str) -> Answer {
    let mut took = Vec::new();
    for _ in 0..3 {
        let began = Instant::now();
        let answer = get(&format!("{}{path}", serve.http_url()), None).await;
        took.push(began.elapsed());
        if began.elapsed() < SOON {
            return answer;
        }
    }
    panic!("{path} took {took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_and_metrics_answer_within_two_seconds_while_the_database_swallows_everything() {
    let mut world = World::real(1, 1).await;
    let proxy = Proxy::start(world.database().authority()).await;
    let direct = world.settings.clone();
    world.settings = direct.clone().set("VMACD_DATABASE_URL", world.database().url_through(proxy.port()));
    let serve = world.serve().await;
    world.settings = direct;
    world.command("create", 0, 1, "m-1").await;
    world.until("active", 1).await;
    let before = metrics(&serve, None).await;
    assert_eq!(sample(&before, "vmacd_up{part=\"database\"}"), 1.0);
    proxy.black_hole();
    eventually("it says that the database is silent", async || {
        let answer = soon(&serve, "/readyz").await;
        if answer.status == 503 { Ok(()) } else { Err(answer) }
    })
    .await;
    let answer = soon(&serve, "/readyz").await;
    let part = answer.json()["parts"][0].clone();
    assert_eq!((part["part"].as_str(), part["ready"].as_bool()), (Some("database"), Some(false)), "{answer:?}");
    assert!(part["error"].as_str().is_some_and(|error| error.contains("no answer within 1500 ms")), "{answer:?}");
    let text = soon(&serve, "/metrics").await.body;
    assert_eq!(sample(&text, "vmacd_up{part=\"database\"}"), 0.0, "{text}");
    assert_eq!(sample(&text, "vmacd_rows_ever"), 1.0, "what is known is told");
    let age = |text: &str| sample(text, "vmacd_figures_age_seconds{part=\"database\"}");
    assert!(age(&text) > 1.0, "{text}");
    assert!(age(&soon(&serve, "/metrics").await.body) > age(&text));
    proxy.restore();
    eventually("it is ready again", async || soon(&serve, "/readyz").await.status == 200).await;
    eventually("the figures are new again", async || {
        let text = soon(&serve, "/metrics").await.body;
        sample(&text, "vmacd_up{part=\"database\"}") == 1.0 && age(&text) < 1.0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_and_metrics_answer_within_two_seconds_while_the_broker_swallows_everything() {
    let mut world = World::real(1, 1).await;
    let rabbit = Rabbit::shared();
    let proxy = Proxy::start(rabbit.authority()).await;
    world.settings = world.settings.clone().set("VMACD_AMQP_URL", rabbit.url_through(proxy.port()));
    let serve = world.serve().await;
    let up = "vmacd_up{part=\"broker\"}";
    eventually("the broker is up", async || sample(&metrics(&serve, None).await, up) == 1.0).await;
    proxy.black_hole();
    eventually("it says that the broker is silent", async || sample(&soon(&serve, "/metrics").await.body, up) == 0.0)
        .await;
    let text = soon(&serve, "/metrics").await.body;
    assert_eq!(sample(&text, "vmacd_up{part=\"database\"}"), 1.0, "{text}");
    assert!(sample(&text, "vmacd_figures_age_seconds{part=\"broker\"}") > 1.0, "{text}");
    eventually("it is not ready", async || soon(&serve, "/readyz").await.status == 503).await;
    proxy.restore();
    eventually("it is ready again", async || soon(&serve, "/readyz").await.status == 200).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_that_hangs_holds_up_neither_readiness_nor_metrics() {
    let world = World::real(1, 1).await;
    let proxy = Proxy::start(&world.switches()[0].addr().to_string()).await;
    world.move_switch(0, proxy.port()).await;
    let serve = world.serve().await;
    proxy.black_hole();
    world.command("create", 0, 1, "m-1").await;
    world.until("pending", 1).await;
    assert_eq!(soon(&serve, "/readyz").await.status, 200);
    assert_eq!(sample(&soon(&serve, "/metrics").await.body, "vmacd_up{part=\"database\"}"), 1.0);
}
