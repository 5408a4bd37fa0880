//! How the service is, for programs.

use serde_json::Value;

use crate::scenario::world::World;
use crate::support::eventually;
use crate::support::http::{Ask, ask, get};

const TOKEN: &str = "t0ken-of-the-api-which-is-long";

#[tokio::test]
async fn programs_are_told_how_the_service_is_in_the_form_of_the_api_and_probes_as_ever() {
    let mut world = World::embedded(1, 1).await;
    world.settings = world.settings.clone().set("VMACD_API_TOKEN", TOKEN);
    let serve = world.serve().await;
    let url = |path: &str| format!("{}{path}", serve.http_url());
    for path in ["/health", "/api/v1/health"] {
        let refused = get(&url(path), None).await;
        assert_eq!((refused.status, refused.header("content-type")), (401, Some("application/problem+json")));
        assert_eq!(refused.json()["code"], "unauthorized", "{path}");
        let report: Value = eventually("the worker has reported", async || {
            let shown = get(&url(path), Some(TOKEN)).await;
            assert_eq!((shown.status, shown.header("content-type")), (200, Some("application/json")), "{shown:?}");
            if shown.json()["good"] == true { Ok(shown.json()) } else { Err(shown) }
        })
        .await;
        assert_eq!((&report["database"]["good"], &report["broker_is_embedded"]), (&true.into(), &true.into()));
        assert_eq!((&report["workers"][0]["silent"], &report["switches_in_trouble"]), (&false.into(), &0.into()));
    }
    let headers = vec![("accept", "text/html".to_owned())];
    let person = ask(&url("/health"), Ask { headers, ..Ask::default() }).await;
    assert!(person.body.contains("name=\"token\""), "a person is asked to log in: {person:?}");
    for path in ["/healthz", "/readyz"] {
        let probed = get(&url(path), None).await;
        assert_eq!((probed.status, probed.header("content-type")), (200, Some("application/json")), "{probed:?}");
    }
}
