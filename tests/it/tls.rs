//! TLS to RabbitMQ and to Postgres, against real servers with a private CA.

use sqlx::{Connection, Executor, PgConnection, Row};
use vmacd::broker::{AmqpTarget, AmqpTls, BrokerError, ClientIdentity};
use vmacd::domain::ServiceUrls;
use vmacd::sim::Options;
use vmacd::store::{Store, StoreOptions};

use crate::broker::bench::{Bench, bodies, take};
use crate::scenario::world::World;
use crate::support::certificates::Certificates;
use crate::support::postgres::Postgres;
use crate::support::vmacd::run;
use crate::support::{Rabbit, eventually, free_port};

/// A broker with a TLS listener, and its port.
async fn amqps(plugin: &str, certificates: &Certificates, verify: &str) -> (Rabbit, u16) {
    let port = free_port();
    let [ca, cert, key] = ["ca.pem", "server.pem", "server.key"].map(|name| certificates.file(name));
    let setting = format!(
        "listeners.ssl.1 = 127.0.0.1:{port}\nssl_options.cacertfile = {ca}\nssl_options.certfile = {cert}\n\
         ssl_options.keyfile = {key}\nssl_options.verify = {verify}\nssl_options.fail_if_no_peer_cert = {}\n\
         ssl_cert_login_from = common_name\nauth_mechanisms.1 = PLAIN\nauth_mechanisms.2 = EXTERNAL",
        verify == "verify_peer"
    );
    let rabbit = Rabbit::private_with_plugin(plugin, &setting);
    // RabbitMQ opens it after the other port.
    let listens = async || tokio::net::TcpStream::connect(("127.0.0.1", port)).await.map(drop);
    eventually("the port of TLS is open", listens).await;
    (rabbit, port)
}

/// A client certificate in PEM form, or with this passphrase the PKCS#12 file.
fn identity(certificates: &Certificates, name: &str, passphrase: Option<&str>) -> Option<ClientIdentity> {
    let bytes = |ending: &str| certificates.bytes(&format!("{name}.{ending}"));
    let identity = match passphrase {
        Some(passphrase) => ClientIdentity::new(bytes("p12"), None, passphrase),
        None => ClientIdentity::new(bytes("pem"), Some(bytes("key")), ""),
    };
    Some(identity.expect("a client certificate"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_certificate_logs_in_without_a_password_on_a_private_broker() {
    let (certificates, others) = (Certificates::make(), Certificates::make());
    certificates.client("vmacd");
    certificates.client("nobody");
    others.client("vmacd");
    let (rabbit, port) = amqps("rabbitmq_auth_mechanism_ssl", &certificates, "verify_peer").await;
    rabbit.ctl(&["add_user", "vmacd", "never-used"]);
    rabbit.ctl(&["clear_password", "vmacd"]);
    rabbit.ctl(&["set_permissions", "vmacd", ".*", ".*", ".*"]);
    let urls = ServiceUrls::new(format!("amqps://127.0.0.1:{},amqps://127.0.0.1:{port}", free_port()));
    let connect = |identity| Bench::on(AmqpTarget::new(&urls, AmqpTls { ca: Some(certificates.ca()), identity }));
    for passphrase in [None, Some("sesame")] {
        let bench = connect(identity(&certificates, "vmacd", passphrase)).await.expect("it logs in");
        bench.publish(&["a"]).await;
        assert_eq!(bodies(&take(&mut bench.commands().await, 1).await), ["a"]);
    }
    let refused = async |identity| connect(identity).await.map(|_| ()).expect_err("refused");
    let two = ClientIdentity::new(certificates.bytes("vmacd.pem"), Some(certificates.bytes("nobody.key")), "");
    for unusable in [identity(&certificates, "vmacd", Some("wrong")), Some(two.expect("two files"))] {
        let error = refused(unusable).await;
        assert!(matches!(error, BrokerError::ClientCertificate { .. }), "{error:?}");
    }
    // RabbitMQ ends such a connection with an alert, which its end may overtake.
    for stranger in [None, identity(&others, "vmacd", None)] {
        let error = refused(stranger).await;
        assert!(
            matches!(error, BrokerError::ClientCertificate { .. } | BrokerError::Amqp { what: "connect", .. }),
            "{error:?}"
        );
    }
    let error = refused(identity(&certificates, "nobody", None)).await;
    assert!(matches!(error, BrokerError::Refused { what: "connect", code: 403, .. }), "{error:?}");
    by_the_settings(&rabbit, &certificates, &urls).await;
}

/// The whole program, which reads the files that its settings name.
async fn by_the_settings(rabbit: &Rabbit, certificates: &Certificates, urls: &ServiceUrls) {
    let mut world = World::real_on(rabbit, Options { switches: 1, ports_per_switch: 1, ..Options::default() }).await;
    let urls = urls.iter().map(|url| url.reveal().to_owned()).collect::<Vec<_>>().join(",");
    let by_certificate = world.settings.clone().set("VMACD_AMQP_URL", urls);
    world.settings = by_certificate
        .set("VMACD_AMQP_CA_FILE", certificates.file("ca.pem"))
        .set("VMACD_AMQP_CERT_FILE", certificates.file("vmacd.p12"))
        .set("VMACD_AMQP_KEY_PASSPHRASE", "sesame");
    let _worker = world.serve().await;
    world.command("create", 0, 1, "by-certificate").await;
    world.until("active", 1).await;
    let shown = run(&["config"], &world.settings).await;
    assert!(shown.stdout.contains("vmacd.p12") && !shown.stdout.contains("sesame"), "{}", shown.stdout);
    let unreadable = world.settings.clone().set("VMACD_AMQP_CERT_FILE", certificates.file("server.csr"));
    let refused = run(&["create", "--server", "1001", "--ip", "10.0.0.9"], &unreadable).await;
    assert_eq!(refused.code, Some(1), "{}", refused.stderr);
    assert!(refused.stderr.contains("expected certificates in PEM form"), "{}", refused.stderr);
}

#[tokio::test]
async fn amqps_trusts_the_ca_of_the_settings_and_no_other_on_a_private_broker() {
    let certificates = Certificates::make();
    let (rabbit, port) = amqps("", &certificates, "verify_none").await;
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
