//! RabbitMQ: the shared node, or one of a test's own that may be crashed.

use super::run_dir::setting;
use super::servers::{Private, call};
use super::{eventually, unique};
use lapin::{Channel, Connection, ConnectionProperties};
use std::time::Duration;

/// A RabbitMQ node. On the shared one, a test keeps to a [`namespace`](Rabbit::namespace) of its own.
#[derive(Debug)]
pub struct Rabbit {
    private: Option<Private>,
    url: String,
}

/// A login of a test's own.
pub struct Login {
    /// Its name.
    pub user: String,
    /// The URL with it.
    pub url: String,
}

impl Rabbit {
    /// The node that all tests of this run share.
    pub fn shared() -> Self {
        Self { private: None, url: setting("VMACD_TEST_AMQP_URL") }
    }

    /// A node of its own (3 to 10 s to start): for tests that crash it, or need other settings.
    pub fn private() -> Self {
        Self::private_with("")
    }

    /// As [`Rabbit::private`], with one more line for `rabbitmq.conf`, such as `consumer_timeout = 4000`.
    pub fn private_with(setting: &str) -> Self {
        Self::private_with_plugin("", setting)
    }

    /// The same with a plugin of RabbitMQ's.
    pub fn private_with_plugin(plugin: &str, setting: &str) -> Self {
        let variables = [("VMACD_TEST_RABBITMQ_PLUGINS", plugin), ("VMACD_TEST_RABBITMQ_CONF", setting)];
        let private = Private::start("rabbitmq", &variables);
        Self { url: private.url.clone(), private: Some(private) }
    }

    /// A node of its own that joins the cluster of this private one.
    pub fn joining(other: &Self) -> Self {
        let name = other.private.as_ref().expect("a private node").name();
        let private = Private::start("rabbitmq", &[("VMACD_TEST_RABBITMQ_JOIN", name)]);
        Self { url: private.url.clone(), private: Some(private) }
    }

    /// Its AMQP URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Host and port, for a proxy in front of it.
    pub fn authority(&self) -> &str {
        let rest = self.url.rsplit_once('@').map_or(self.url.as_str(), |(_, rest)| rest);
        rest.split_once('/').map_or(rest, |(authority, _)| authority)
    }

    /// Its URL by way of another port of 127.0.0.1 (a proxy's).
    pub fn url_through(&self, port: u16) -> String {
        self.url.replace(self.authority(), &format!("127.0.0.1:{port}"))
    }

    /// A new login that may configure, write and read what these patterns match, on the node's default virtual host.
    pub fn login(&self, [configure, write, read]: [&str; 3]) -> Login {
        let user = unique("login");
        self.ctl(&["add_user", &user, "secret"]);
        self.ctl(&["set_permissions", &user, configure, write, read]);
        Login { url: self.url.replace("guest:guest", &format!("{user}:secret")), user }
    }

    /// A prefix for `broker.namespace` that no other test has.
    pub fn namespace() -> String {
        unique("t")
    }

    /// SIGKILL. A quorum queue declared in the last two seconds may be lost with it: let topology settle before.
    pub fn kill9(&mut self) {
        self.own().kill9();
    }

    /// A clean stop.
    pub fn stop(&mut self) {
        self.own().stop();
    }

    /// Starts it again on the same data and port.
    pub fn start_again(&mut self) {
        self.own().start_again();
    }

    /// Runs `rabbitmqctl` against a private node, for alarms and other faults.
    pub fn ctl(&self, arguments: &[&str]) -> String {
        let name = self.private.as_ref().map_or("rabbitmq", Private::name);
        call(&[&["ctl", name], arguments].concat(), &[])
    }

    /// A connection of the test's own; waits for a node that is just coming up.
    pub async fn connect(&self) -> Connection {
        eventually("RabbitMQ takes a connection", async || {
            let connecting = Connection::connect(&self.url, ConnectionProperties::default());
            tokio::time::timeout(Duration::from_secs(5), connecting)
                .await
                .map_err(|_| "time-out".to_string())?
                .map_err(|error| error.to_string())
        })
        .await
    }

    /// A channel on a connection of its own. Keep the connection for as long as the channel is used.
    pub async fn channel(&self) -> (Connection, Channel) {
        let connection = self.connect().await;
        let channel = connection.create_channel().await.expect("a fresh connection gives a channel");
        (connection, channel)
    }

    fn own(&mut self) -> &mut Private {
        self.private.as_mut().expect("only a private node may be stopped: others use the shared one")
    }
}
