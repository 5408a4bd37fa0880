//! RabbitMQ logins that may not do everything.

use vmacd::broker::BrokerError;
use vmacd::domain::chain;

use super::bench::{Bench, target};
use crate::support::Rabbit;

async fn refusal(url: &str, namespace: &str) -> BrokerError {
    Bench::within_as(target(url), namespace).await.map(|_| ()).expect_err("refused")
}

/// How often the text has the part.
fn count(text: &str, part: &str) -> usize {
    text.matches(part).count()
}

#[tokio::test]
async fn a_login_that_may_not_declare_works_with_what_is_there() {
    let bench = Bench::rabbitmq().await;
    let login = Rabbit::shared().login(["^$", ".*", ".*"]);
    let broker = bench.another_through(&login.url).await;
    bench.publish(&["a"]).await;
    let mut consumer = super::bench::commands_of(&broker).await;
    assert_eq!(bench.receive_by(&broker, &mut consumer, 1).await, ["a"]);
}

#[tokio::test]
async fn a_login_that_may_not_even_bind_works_with_what_is_bound() {
    let bench = Bench::rabbitmq().await;
    let namespace = bench.name("");
    let write = format!("^{namespace}vmac\\.(events|commands)$");
    let read = format!("^{namespace}vmac\\.(commands|dead)$");
    let login = Rabbit::shared().login(["^$", &write, &read]);
    let broker = bench.another_through(&login.url).await;
    bench.publish(&["a", "b"]).await;
    let mut consumer = super::bench::commands_of(&broker).await;
    assert_eq!(bench.receive_by(&broker, &mut consumer, 2).await, ["a", "b"]);
}

#[tokio::test]
async fn what_is_not_there_and_may_not_be_declared_is_named_once_with_what_the_broker_said() {
    let namespace = Rabbit::namespace();
    let login = Rabbit::shared().login(["^$", ".*", ".*"]);
    let error = refusal(&login.url, &namespace).await;
    let text = chain(&error);
    assert!(matches!(error, BrokerError::Missing { .. }), "{text}");
    assert!(
        text.contains(&format!("no exchange {namespace}vmac.commands, and this login may not declare it")),
        "{text}"
    );
    assert_eq!(count(&text, "ACCESS_REFUSED"), 1, "{text}");
}

#[tokio::test]
async fn a_wrong_password_and_a_virtual_host_that_is_not_there_are_refused_once() {
    let url = Rabbit::shared().url().to_owned();
    for (url, part) in
        [(url.replace("guest:guest", "guest:wrong"), "ACCESS_REFUSED"), (url.replace("%2f", "none"), "NOT_ALLOWED")]
    {
        let error = refusal(&url, &Rabbit::namespace()).await;
        let text = chain(&error);
        assert!(matches!(error, BrokerError::Refused { what: "connect", .. }), "{text}");
        assert_eq!(count(&text, part), 1, "{text}");
    }
}
