//! The page.

use super::receiver::{Receiver, Reply};
use super::{allowing, create, delivery, taken};
use crate::scenario::world::World;
use crate::support::http::{Ask, ask, ask_without_following, get};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_shows_what_came_back_escaped_and_its_buttons_work() {
    let mut world = allowing(World::embedded(1, 1).await).await;
    world.settings = world.settings.set("VMACD_WEBHOOKS_AGE_MAX_MS", 100);
    let serve = world.serve().await;
    let page = format!("{}/webhooks", serve.http_url());
    let empty = get(&page, None).await;
    assert!(
        empty.status == 200 && empty.body.contains("No webhooks. Add one to tell a panel without AMQP"),
        "{empty:?}"
    );
    let receiver = Receiver::start(|_| Reply::Status(500, "", "<script>alert(1)</script>")).await;
    let options = ["--name", "one", "--event", "vmac.active", "--reference", "<b>"];
    world.vmacd(&[&["webhooks", "add", &receiver.url()], options.as_slice()].concat()).await;
    create(&world, 0, 1, &["--reference", "<b>7", "--wait"]).await;
    let dead = delivery(&world, "dead", |_| true).await;
    let shown = get(&page, None).await.body;
    assert!(
        shown.contains("HTTP 500: &lt;script&gt;alert(1)&lt;/script&gt;") && !shown.contains("<script>alert"),
        "{shown}"
    );
    assert!(
        shown.contains("reference &lt;b&gt;…") && shown.contains("Replay all 1") && !shown.contains("style="),
        "{shown}"
    );
    let press = async |button: &str, form: String| {
        let headers = vec![("content-type", "application/x-www-form-urlencoded".to_owned())];
        let asking = Ask { method: "POST", headers, body: Some(form) };
        ask_without_following(&format!("{page}/{button}"), asking).await
    };
    let tested = press("test", "webhook=one".to_owned()).await;
    assert_eq!((tested.status, tested.header("location")), (303, Some("/webhooks?tested=one&status=500")));
    let told = get(&format!("{page}?tested=one&status=500"), None).await.body;
    assert!(told.contains("The test event for one was answered with HTTP 500."), "{told}");
    assert_eq!(press("pause", "webhook=one".to_owned()).await.status, 303);
    assert!(get(&page, None).await.body.contains("Resume"));
    assert_eq!(press("resume", "webhook=one".to_owned()).await.status, 303);
    receiver.answer(|_| super::receiver::OK);
    assert_eq!(press("replay", format!("id={}", dead["id"])).await.status, 303);
    taken(&receiver, 1).await;
    delivery(&world, "delivered", |_| true).await;
    let delivered = get(&format!("{page}?webhook=one&state=delivered"), None).await.body;
    assert!(delivered.contains("1 in all") && delivered.contains("HTTP 204"), "{delivered}");
    assert_eq!(ask(&format!("{page}?webhook=two"), Ask::default()).await.status, 404);
    assert_eq!(press("pause", "webhook=two".to_owned()).await.status, 404);
}
