//! TLS to RabbitMQ and to Postgres, against real servers with a private CA.

use sqlx::{Connection, Executor, PgConnection, Row};
use vmacd::broker::{AmqpTarget, AmqpTls, BrokerError};
use vmacd::domain::ServiceUrls;
use vmacd::store::{Store, StoreOptions};

use crate::broker::bench::{Bench, bodies, take};
use crate::support::certificates::Certificates;
use crate::support::postgres::Postgres;
use crate::support::{Rabbit, free_port};

#[tokio::test]
async fn amqps_trusts_the_ca_of_the_settings_and_no_other_on_a_private_broker() {
    let certificates = Certificates::make();
    let port = free_port();
    let [ca, cert, key] = ["ca.pem", "server.pem", "server.key"].map(|name| certificates.file(name));
    let rabbit = Rabbit::private_with(&format!(
        "listeners.ssl.1 = 127.0.0.1:{port}\nssl_options.cacertfile = {ca}\nssl_options.certfile = {cert}\n\
         ssl_options.keyfile = {key}\nssl_options.verify = verify_none\nssl_options.fail_if_no_peer_cert = false"
    ));
    let url = rabbit.url_through(port).replace("amqp://", "amqps://");
    let target = |ca| AmqpTarget::new(&ServiceUrls::new(&url), AmqpTls { ca, identity: None });
    let bench = Bench::on(target(Some(certificates.ca()))).await.expect("trusted");
    bench.publish(&["a"]).await;
    assert_eq!(bodies(&take(&mut bench.commands().await, 1).await), ["a"]);
    for ca in [None, Some(Certificates::make().ca())] {
        let refused = Bench::on(target(ca)).await.map(|_| ()).expect_err("a stranger");
        assert!(matches!(refused, BrokerError::Certificate { .. }), "{refused:?}");
        assert!(!format!("{refused:?}").contains("guest:guest"), "the password is not shown");
    }
}

#[tokio::test]
async fn postgres_is_verified_by_the_ca_of_its_url_on_a_private_server() {
    let certificates = Certificates::make();
    let postgres = Postgres::private_with_tls(certificates.dir());
    let url = |ca: &str| format!("{}?sslmode=verify-full&sslrootcert={ca}", postgres.url());
    let trusted = url(&certificates.file("ca.pem"));
    let store = Store::connect(&trusted, StoreOptions::default()).await.expect("trusted");
    store.migrate().await.expect("tables");
    let mut connection = PgConnection::connect(&trusted).await.expect("trusted");
    let ssl = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    assert!(connection.fetch_one(ssl).await.expect("a row").get::<bool, _>(0), "the connection is encrypted");
    let stranger = url(&Certificates::make().file("ca.pem"));
    let refused = Store::connect(&stranger, StoreOptions::default()).await.map(|_| ()).expect_err("a stranger");
    let source = std::error::Error::source(&refused).map(ToString::to_string).unwrap_or_default();
    assert!(source.to_lowercase().contains("certificate"), "{refused}: {source}");
}
