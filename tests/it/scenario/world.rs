//! One world per test: switches, a database, a namespace on the broker, and workers to start.

use std::collections::{BTreeSet, VecDeque};
use std::net::Ipv4Addr;
use std::ops::Range;
use std::path::Path;

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Connection, PublisherConfirm};
use serde_json::{Value, json};
use vmacd::sim::{Dialect, Estate, Options, SimHandle};

use crate::support::postgres::{Database, migrated_database};
use crate::support::vmacd::{Serve, Settings, run, run_program};
use crate::support::{Rabbit, duplicates, eventually, run_dir, unique};

/// What a test stands in.
pub struct World {
    pub estate: Estate,
    pub settings: Settings,
    /// Switches and servers as the simulator wrote them.
    pub inventory: Value,
    pub namespace: String,
    publisher: Option<Publisher>,
    database: Option<Database>,
}

struct Publisher {
    _connection: Connection,
    channel: Channel,
}

/// A binding as a switch holds it: interface, address, MAC.
pub type Held = (String, String, String);

/// One switch with 48 ports, 2,000 bindings and 1 MB of configuration, the size at which reading all of it shows.
pub fn large_switch(dialect: Dialect) -> Options {
    Options {
        switches: 1,
        ports_per_switch: 48,
        dialect,
        bindings: 2_000,
        config_size: 1_000_000,
        ..Options::default()
    }
}

impl World {
    /// RabbitMQ and Postgres, and so many switches with so many ports each.
    pub async fn real(switches: usize, ports_per_switch: usize) -> Self {
        Self::real_with(Options { switches, ports_per_switch, ..Options::default() }).await
    }

    /// RabbitMQ and Postgres, with switches of these options.
    pub async fn real_with(options: Options) -> Self {
        Self::real_on(&Rabbit::shared(), options).await
    }

    /// RabbitMQ, and a Postgres of the test's own by this URL; without tables yet.
    pub async fn on_postgres(url: &str, options: Options) -> Self {
        Self::of_both(&Rabbit::shared(), url, None, env!("CARGO_BIN_EXE_vmacd"), options).await
    }

    /// Postgres, and this RabbitMQ node.
    pub async fn real_on(rabbit: &Rabbit, options: Options) -> Self {
        Self::real_in(rabbit, migrated_database().await, env!("CARGO_BIN_EXE_vmacd"), options).await
    }

    /// This RabbitMQ node and this database with the tables that it has; the inventory is imported by this binary.
    pub async fn real_in(rabbit: &Rabbit, database: Database, importer: &str, options: Options) -> Self {
        Self::of_both(rabbit, &database.url(), Some(database), importer, options).await
    }

    async fn of_both(
        rabbit: &Rabbit,
        database_url: &str,
        database: Option<Database>,
        importer: &str,
        options: Options,
    ) -> Self {
        let namespace = Rabbit::namespace();
        let settings = Settings::new()
            .set("VMACD_DATABASE_URL", database_url)
            .set("VMACD_AMQP_URL", rabbit.url())
            .set("VMACD_BROKER_NAMESPACE", &namespace);
        let (connection, channel) = rabbit.channel().await;
        channel.confirm_select(ConfirmSelectOptions::default()).await.expect("confirms");
        let publisher = Some(Publisher { _connection: connection, channel });
        Self::with_importer(importer, options, settings, namespace, publisher, database).await
    }

    /// The embedded queue in SQLite.
    pub async fn embedded(switches: usize, ports_per_switch: usize) -> Self {
        Self::embedded_with(Options { switches, ports_per_switch, ..Options::default() }).await
    }

    /// The embedded queue in SQLite, with switches of these options.
    pub async fn embedded_with(options: Options) -> Self {
        Self::embedded_in(&run_dir().join(unique("embedded")).with_extension("db"), Settings::new(), options).await
    }

    /// The embedded queue in this SQLite file, with programs that run by these settings.
    pub async fn embedded_in(file: &Path, settings: Settings, options: Options) -> Self {
        let settings = settings.set("VMACD_DATABASE_URL", format!("sqlite://{}", file.display()));
        Self::new(options, settings, String::new(), None, None).await
    }

    async fn new(
        options: Options,
        settings: Settings,
        namespace: String,
        publisher: Option<Publisher>,
        database: Option<Database>,
    ) -> Self {
        Self::with_importer(env!("CARGO_BIN_EXE_vmacd"), options, settings, namespace, publisher, database).await
    }

    async fn with_importer(
        importer: &str,
        options: Options,
        settings: Settings,
        namespace: String,
        publisher: Option<Publisher>,
        database: Option<Database>,
    ) -> Self {
        let estate =
            Estate::start(Options { port_base: 0, duplicates: options.duplicates.or_else(duplicates), ..options })
                .await
                .expect("switches");
        let settings = settings
            .set("VMACD_SSH_USER", "vmacd")
            .set("VMACD_SSH_PASSWORD", "vmacd")
            .set("VMACD_RETRY_DELAY_MIN_MS", 100)
            .set("VMACD_RETRY_DELAY_MAX_MS", 400)
            .set("VMACD_LEASE_TTL_MS", 3_000)
            // Looks that nobody waits for would count as requests; tests of drift turn them on.
            .set("VMACD_DRIFT_INTERVAL_MS", 0);
        let inventory = estate.inventory_json();
        let world = Self { estate, settings, inventory, namespace, publisher, database };
        let file = run_dir().join(unique("inventory")).with_extension("json");
        std::fs::write(&file, world.inventory.to_string()).expect("an inventory file");
        run_program(importer, &["inventory", "import", &file.display().to_string()], &world.settings).await.ok();
        world
    }

    /// Its Postgres database.
    pub fn database(&self) -> &Database {
        self.database.as_ref().expect("Postgres")
    }

    /// Moves a switch to another port in the inventory, such as a proxy's.
    pub async fn move_switch(&self, index: usize, port: u16) {
        self.move_switches(index..index + 1, port).await;
    }

    /// Moves switches to another port in the inventory, all to the same.
    pub async fn move_switches(&self, indices: Range<usize>, port: u16) {
        let mut inventory = self.inventory.clone();
        for index in indices {
            inventory["switches"][index]["port"] = port.into();
        }
        self.import(&inventory).await;
    }

    /// Says at which site each switch stands.
    pub async fn place(&mut self, sites: &[&str]) {
        for (index, site) in sites.iter().enumerate() {
            self.inventory["switches"][index]["site"] = (*site).into();
        }
        self.import(&self.inventory).await;
    }

    /// Imports an inventory.
    pub async fn import(&self, inventory: &Value) {
        let file = run_dir().join(unique("inventory")).with_extension("json");
        std::fs::write(&file, inventory.to_string()).expect("an inventory file");
        self.vmacd(&["inventory", "import", &file.display().to_string()]).await;
    }

    /// Runs a verb with `--json` and gives its data.
    pub async fn vmacd(&self, arguments: &[&str]) -> Value {
        let arguments: Vec<_> = arguments.iter().copied().chain(["--json"]).collect();
        run(&arguments, &self.settings).await.json()
    }

    /// Starts a worker.
    pub async fn serve(&self) -> Serve {
        Serve::start(&self.settings).await
    }

    /// The id of the server number `index`.
    pub fn server(&self, index: usize) -> i64 {
        self.inventory["servers"][index]["id"].as_i64().expect("a server")
    }

    /// The switch that server number `index` is cabled to.
    pub fn switch_of(&self, index: usize) -> String {
        self.inventory["servers"][index]["ports"][0]["switch"].as_str().expect("a switch").to_owned()
    }

    /// An extra address of server number `index`.
    pub fn address(&self, index: usize, number: u32) -> String {
        let primary = self.inventory["servers"][index]["primary_ip"].as_str().expect("an address");
        let primary: Ipv4Addr = primary.parse().expect("an address");
        Ipv4Addr::from(u32::from(primary) + number).to_string()
    }

    /// Publishes a body as a producer would, persistent and confirmed.
    pub async fn publish(&self, routing_key: &str, message_id: Option<&str>, body: &[u8]) {
        confirmed(self.send(routing_key, properties(message_id), body).await).await;
    }

    /// Publishes with properties of the test's own, persistent and confirmed.
    pub async fn publish_with(&self, routing_key: &str, properties: BasicProperties, body: &[u8]) {
        confirmed(self.send(routing_key, properties, body).await).await;
    }

    /// Publishes creates of addresses of servers (both by number) and awaits the confirms by the thousand.
    pub async fn publish_creates(&self, creates: impl Iterator<Item = (usize, u32)>) {
        let mut confirms = VecDeque::new();
        for (count, (index, number)) in creates.enumerate() {
            let (id, body) = (format!("n-{count}"), self.body(index, number).to_string());
            confirms.push_back(self.send("vmac.create", properties(Some(&id)), body.as_bytes()).await);
            if confirms.len() == 1_000 {
                confirmed(confirms.pop_front().expect("a thousand")).await;
            }
        }
        for confirm in confirms {
            confirmed(confirm).await;
        }
    }

    /// Puts a message among the dead letters as the broker does, without a reason in its headers.
    pub async fn publish_dead(&self, message_id: &str, body: &[u8]) {
        let exchange = format!("{}vmac.dead", self.namespace);
        confirmed(self.send_to(&exchange, "vmac.create", properties(Some(message_id)), body).await).await;
    }

    async fn send(&self, routing_key: &str, properties: BasicProperties, body: &[u8]) -> PublisherConfirm {
        self.send_to(&format!("{}vmac.commands", self.namespace), routing_key, properties, body).await
    }

    async fn send_to(
        &self,
        exchange: &str,
        routing_key: &str,
        properties: BasicProperties,
        body: &[u8],
    ) -> PublisherConfirm {
        let publisher = self.publisher.as_ref().expect("RabbitMQ");
        let properties = properties.with_delivery_mode(2);
        let exchange = ShortString::from(exchange);
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let sent = publisher.channel.basic_publish(exchange, ShortString::from(routing_key), options, body, properties);
        sent.await.expect("published")
    }

    /// Publishes a create or revoke of an address of server number `index`.
    pub async fn command(&self, action: &str, index: usize, number: u32, message_id: &str) {
        let body = self.body(index, number).to_string();
        self.publish(&format!("vmac.{action}"), Some(message_id), body.as_bytes()).await;
    }

    /// The body of a command for an address of server number `index`.
    pub fn body(&self, index: usize, number: u32) -> Value {
        json!({"server_id": self.server(index), "ip_address": self.address(index, number)})
    }

    /// Rows with this status.
    pub async fn with_status(&self, status: &str) -> Vec<Value> {
        let rows = self.vmacd(&["list", "--status", status, "--limit", "100000"]).await;
        rows.as_array().expect("a list").clone()
    }

    /// Waits until exactly so many rows have this status.
    pub async fn until(&self, status: &str, count: usize) -> Vec<Value> {
        let what = format!("{count} rows are {status}");
        eventually(&what, async || {
            let rows = self.with_status(status).await;
            if rows.len() == count { Ok(rows) } else { Err(format!("{} rows", rows.len())) }
        })
        .await
    }

    /// Dead letters that wait.
    pub async fn dead_letters(&self) -> Vec<Value> {
        self.vmacd(&["dead-letters", "list"]).await.as_array().expect("a list").clone()
    }

    /// What all switches hold in their committed configurations, read by the simulator itself.
    pub fn held(&self) -> BTreeSet<Held> {
        self.switches()
            .iter()
            .flat_map(|switch| switch.bindings())
            .map(|binding| (binding.interface, binding.ip, binding.mac))
            .collect()
    }

    /// The bindings of the primary addresses, which no command changes.
    pub fn primaries(&self) -> BTreeSet<Held> {
        let servers = self.inventory["servers"].as_array().expect("servers");
        servers
            .iter()
            .map(|server| {
                (text(&server["ports"][0]["interface"]), text(&server["primary_ip"]), text(&server["pxe_mac"]))
            })
            .collect()
    }

    /// What the switches must hold by the rows: the primaries, every active virtual MAC, and what a revoke gave back to a
    /// server's own MAC.
    pub async fn wanted(&self) -> BTreeSet<Held> {
        let active = self.with_status("active").await;
        let bound = active.iter().flat_map(|row| held_by(row, |_| Some(text(&row["mac_address"]))));
        let mut wanted: BTreeSet<Held> = bound.chain(self.primaries()).collect();
        let mut newer: BTreeSet<String> = active.iter().map(|row| text(&row["ip_address"])).collect();
        for row in self.with_status("revoked").await.iter() {
            if newer.insert(text(&row["ip_address"])) {
                wanted.extend(held_by(row, |binding| (binding["state"] == "restored").then(|| self.pxe_mac_of(row))));
            }
        }
        wanted
    }

    fn pxe_mac_of(&self, row: &Value) -> String {
        let mut servers = self.inventory["servers"].as_array().expect("servers").iter();
        text(&servers.find(|server| server["id"] == row["server_id"]).expect("its server")["pxe_mac"])
    }

    /// Asserts that each switch holds exactly what the rows say.
    pub async fn assert_consistent(&self) {
        assert_eq!(self.held(), self.wanted().await, "the switches hold something else than the rows say");
    }

    /// Every switch.
    pub fn switches(&self) -> &[SimHandle] {
        self.estate.switches()
    }

    /// Commits of all switches together.
    pub fn commits(&self) -> u64 {
        self.switches().iter().map(|switch| switch.commits()).sum()
    }
}

fn text(value: &Value) -> String {
    value.as_str().expect("text").to_owned()
}

/// What a row has on the ports that it does not leave, with the MAC that it has there.
fn held_by(row: &Value, mac: impl Fn(&Value) -> Option<String>) -> Vec<Held> {
    let bindings = row["switch_bindings"].as_array().expect("bindings").iter();
    let kept = bindings.filter(|binding| binding["leaving"] != true);
    kept.filter_map(|binding| Some((text(&binding["interface"]), text(&row["ip_address"]), mac(binding)?))).collect()
}

async fn confirmed(confirm: PublisherConfirm) {
    let confirmation = confirm.await.expect("confirmed");
    assert!(confirmation.is_ack(), "{confirmation:?}");
}

/// What a producer sends along.
fn properties(message_id: Option<&str>) -> BasicProperties {
    let properties =
        BasicProperties::default().with_correlation_id(ShortString::from("corr-1")).with_headers(traceparent());
    match message_id {
        Some(id) => properties.with_message_id(ShortString::from(id)),
        None => properties,
    }
}

fn traceparent() -> FieldTable {
    let mut headers = FieldTable::default();
    let value = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    headers.insert("traceparent".into(), AMQPValue::LongString(value.into()));
    headers
}
