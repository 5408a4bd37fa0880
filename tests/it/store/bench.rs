//! A store with a small inventory, and short words for what is asked of it.

use std::collections::HashMap;
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row, SqliteConnection};
use vmacd::domain::plan::{EndState, Reached, Wish, WishResult};
use vmacd::domain::{
    Action, Arrival, Command, Desired, Failure, FailureClass, Inventory, Issued, MessageKey, RetryPolicy, ServiceUrl,
    Status, SwitchName,
};
use vmacd::store::{
    Admission, CommandOutcome, Event, GatheredRow, Incoming, Lease, PushResults, RecordedPush, Store, StoreOptions,
    Vmac, VmacFilter, WorkItem, WorkPort,
};

use crate::support::postgres::{Database, Postgres, authority, fresh_database_on, migrated_database};
use crate::support::{run_dir, unique};

/// Long enough for any test, and shorter than the longest claim of an event.
pub const LONG: Duration = Duration::from_secs(50);

/// A store under test.
pub struct Bench {
    pub store: Store,
    /// Where the database is.
    url: String,
    /// The way by which stores reach it, where it is another.
    pooler: Option<String>,
    /// Dropped with the value.
    _database: Option<Database>,
}

impl Bench {
    /// On a file of its own.
    pub async fn sqlite() -> Self {
        let file = run_dir().join(unique("store")).with_extension("db");
        Self::new(format!("sqlite://{}", file.display()), None, None).await
    }

    /// On a database of its own.
    pub async fn postgres() -> Self {
        let database = migrated_database().await;
        Self::new(database.url(), None, Some(database)).await
    }

    /// The same by way of PgBouncer in transaction mode.
    pub async fn pgbouncer() -> Self {
        let database = migrated_database().await;
        Self::new(database.url(), Some(database.pooled_url()), Some(database)).await
    }

    /// On a server that nobody else writes to.
    pub async fn on(server: &Postgres) -> Self {
        let database = fresh_database_on(server.url()).await;
        Self::new(database.url(), None, Some(database)).await
    }

    async fn new(url: String, pooler: Option<String>, database: Option<Database>) -> Self {
        let options = with_pooler(pooler.is_some(), &url, StoreOptions::default());
        let store = Store::connect(pooler.as_ref().unwrap_or(&url), options).await.expect("a database");
        store.migrate().await.expect("tables");
        store.inventory().import(&inventory()).await.expect("an inventory");
        Self { store, url, pooler, _database: database }
    }

    /// The database, opened in another way.
    pub async fn open(&self, options: StoreOptions) -> Store {
        self.open_at(self.store_url(), options).await
    }

    /// The same by way of a proxy.
    pub async fn open_at(&self, url: &str, options: StoreOptions) -> Store {
        let options = with_pooler(self.pooler.is_some(), &self.url, options);
        Store::connect(url, options).await.expect("a database")
    }

    /// The URL by which stores reach the database.
    pub fn store_url(&self) -> &str {
        self.pooler.as_ref().unwrap_or(&self.url)
    }

    /// Where the database is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// True on SQLite, false on Postgres.
    pub fn is_sqlite(&self) -> bool {
        self.url.starts_with("sqlite:")
    }

    /// Host and port that stores connect to.
    pub fn authority(&self) -> Option<&str> {
        (!self.is_sqlite()).then(|| authority(self.store_url()))
    }

    /// The same database as another process sees it.
    pub async fn another(&self) -> Store {
        self.open(StoreOptions::default()).await
    }

    /// The same database by another policy of trying again.
    pub async fn with_retry(&self, retry: RetryPolicy) -> Store {
        self.open(StoreOptions { retry, ..StoreOptions::default() }).await
    }

    /// The number that a query gives.
    pub async fn number(&self, sql: &'static str) -> i64 {
        if self.is_sqlite() {
            let mut connection = SqliteConnection::connect(&self.url).await.expect("a database");
            sqlx::query(sql).fetch_one(&mut connection).await.expect("a row").get(0)
        } else {
            let mut connection = PgConnection::connect(&self.url).await.expect("a database");
            sqlx::query(sql).fetch_one(&mut connection).await.expect("a row").get(0)
        }
    }

    /// The texts that a query gives, one a row.
    pub async fn texts(&self, sql: &'static str) -> Vec<String> {
        if self.is_sqlite() {
            let mut connection = SqliteConnection::connect(&self.url).await.expect("a database");
            sqlx::query_scalar(sql).fetch_all(&mut connection).await.expect("rows")
        } else {
            let mut connection = PgConnection::connect(&self.url).await.expect("a database");
            sqlx::query_scalar(sql).fetch_all(&mut connection).await.expect("rows")
        }
    }

    /// Runs a statement behind the store's back.
    pub async fn execute(&self, statement: String) {
        let statement = AssertSqlSafe(statement);
        if self.is_sqlite() {
            let mut connection = SqliteConnection::connect(&self.url).await.expect("a database");
            connection.execute(statement).await.expect("executed");
        } else {
            let mut connection = PgConnection::connect(&self.url).await.expect("a database");
            connection.execute(statement).await.expect("executed");
        }
    }

    /// Takes one command in.
    pub async fn admit(&self, incoming: Incoming) -> Admission {
        self.admit_all(&[incoming]).await.remove(0)
    }

    /// Takes a group in.
    pub async fn admit_all(&self, group: &[Incoming]) -> Vec<Admission> {
        self.store.intake().admit(group, &mut rng()).await.expect("taken in")
    }

    /// The live or newest row of an address.
    pub async fn row(&self, ip: &str) -> Vmac {
        let filter = VmacFilter { ip: Some(ip.parse().expect("an address")), ..VmacFilter::default() };
        self.store.vmacs().find(&filter).await.expect("rows").pop().expect("a row")
    }

    /// How many rows there are.
    pub async fn rows(&self) -> usize {
        self.store.vmacs().find(&VmacFilter::default()).await.expect("rows").len()
    }

    /// The lease of a switch, taken.
    pub async fn lease(&self, name: &str) -> Lease {
        self.store.leases().acquire(&switch(name), "worker-1", LONG).await.expect("an answer").expect("a free lease")
    }

    /// What is due on a switch.
    pub async fn work(&self, name: &str) -> Vec<WorkItem> {
        self.store.work().due_on(&switch(name), 10_000).await.expect("work")
    }

    /// Everything is due at once, whatever failed before.
    pub async fn make_due(&self) {
        self.execute("UPDATE switch_work SET due_at_ms = 0".to_owned()).await;
        self.execute("UPDATE switch_leases SET next_try_at_ms = 0".to_owned()).await;
    }

    /// Everything that is due on the switch reaches its end, as a push would report it.
    pub async fn settle(&self, name: &str) -> RecordedPush {
        let pushed = self.pushed(name, |_, port| reached(end_of(port))).await;
        self.settle_with(name, &pushed).await
    }

    /// Everything that is due on the switch fails that way: the changes, or the switch where it is the switch's failure.
    pub async fn fail(&self, name: &str, failure: &Failure) -> RecordedPush {
        if failure.class() == FailureClass::Deferred {
            let lease = self.lease(name).await;
            let results = PushResults { whole: Some(failure), ..PushResults::default() };
            return self.store.pushes().record(&lease, &results).await.expect("settled");
        }
        let pushed = self.pushed(name, |_, _| Err(failure.clone())).await;
        self.settle_with(name, &pushed).await
    }

    /// Settles under a lease of its own.
    pub async fn settle_with(&self, name: &str, pushed: &Pushed) -> RecordedPush {
        let lease = self.lease(name).await;
        let settled = self.store.pushes().record(&lease, &pushed.results()).await.expect("settled");
        self.store.leases().release(&lease).await.expect("released");
        settled
    }

    /// A push that gathers what is due on the switch, with this end for each port.
    pub async fn pushed(&self, name: &str, end: impl Fn(&WorkItem, &WorkPort) -> Result<Reached, Failure>) -> Pushed {
        let mut pushed = Pushed::default();
        for item in self.work(name).await {
            let row = GatheredRow { generation: item.vmac.generation, attempts: item.attempts };
            pushed.gathered.insert(item.vmac.id, row);
            let result = |port| WishResult { wish: wish(&item, port), end: end(&item, port) };
            pushed.ends.extend(item.ports.iter().map(result));
        }
        pushed
    }

    /// Every event that was not claimed yet, oldest first.
    pub async fn events(&self) -> Vec<Event> {
        self.store.events().claim(100_000, LONG).await.expect("events")
    }

    /// The outcome of a command.
    pub async fn outcome(&self, key: &str) -> Option<CommandOutcome> {
        let key = MessageKey(key.to_owned());
        self.store.commands().outcomes(std::slice::from_ref(&key)).await.expect("outcomes").remove(&key)
    }

    /// The status of an address's row.
    pub async fn status(&self, ip: &str) -> Status {
        self.row(ip).await.status
    }
}

/// The options for a database behind a pooler, which is migrated past it, or for one that is not.
fn with_pooler(is_pooled: bool, url: &str, options: StoreOptions) -> StoreOptions {
    StoreOptions { is_pooled, migrate_url: is_pooled.then(|| ServiceUrl::new(url)), ..options }
}

/// How a push that goes well ends for the port.
pub fn end_of(port: &WorkPort) -> EndState {
    match port.desired {
        Desired::Bound => EndState::Bound,
        Desired::Unbound => EndState::Removed,
    }
}

/// A push, as far as the store is told of it.
#[derive(Default)]
pub struct Pushed {
    pub gathered: HashMap<i64, GatheredRow>,
    pub ends: Vec<WishResult>,
}

impl Pushed {
    /// As the store takes them.
    pub fn results(&self) -> PushResults<'_> {
        PushResults { gathered: self.gathered.clone(), results: &self.ends, ..PushResults::default() }
    }
}

fn wish(item: &WorkItem, port: &WorkPort) -> Wish {
    Wish {
        vmac_id: item.vmac.id,
        desired: port.desired,
        leaving: port.leaving,
        interface: port.interface.clone(),
        ip: item.vmac.ip_address,
        mac: item.vmac.mac_address,
        pxe_mac: port.pxe_mac,
        primary_ip: port.primary_ip,
        vlan: Some("v100".parse().expect("a name")),
    }
}

/// A port that reached its end by a push.
pub fn reached(end: EndState) -> Result<Reached, Failure> {
    Ok(Reached { end, previous_mac: None, push: Some(("push-1".to_owned(), None)) })
}

/// A switch's name.
pub fn switch(name: &str) -> SwitchName {
    name.parse().expect("a name")
}

/// MACs drawn anew in each test.
pub fn rng() -> StdRng {
    StdRng::seed_from_u64(rand::random())
}

/// Server 1 on sw-a, server 2 on sw-b, server 3 on both, server 4 without a port.
pub fn inventory() -> Inventory {
    let port = |switch: &str, number: u32| json!({"switch": switch, "interface": format!("ge-0/0/{number}")});
    let server = |id: i64, ports: Vec<serde_json::Value>| json!({"id": id, "pxe_mac": format!("52:54:00:00:00:0{id}"), "primary_ip": format!("10.0.{id}.1"), "ports": ports});
    let switch = |name: &str| json!({"name": name, "host": "127.0.0.1", "port": 830});
    serde_json::from_value(json!({
        "switches": [switch("sw-a"), switch("sw-b")],
        "servers": [
            server(1, vec![port("sw-a", 1)]),
            server(2, vec![port("sw-b", 2)]),
            server(3, vec![port("sw-a", 3), port("sw-b", 3)]),
            server(4, vec![]),
        ],
    }))
    .expect("an inventory")
}

/// A create, issued at 1000 ms unless told.
pub fn create(key: &str, server_id: i64, ip: &str) -> Incoming {
    incoming(Action::Create, key, server_id, ip)
}

/// A revoke, issued at 2000 ms unless told.
pub fn revoke(key: &str, server_id: i64, ip: &str) -> Incoming {
    issued(incoming(Action::Revoke, key, server_id, ip), 2_000)
}

/// A move to another server, issued at 3000 ms unless told.
pub fn take(key: &str, from: i64, to: i64, ip: &str) -> Incoming {
    let mut moving = issued(incoming(Action::Move, key, to, ip), 3_000);
    moving.command.from_server_id = Some(from);
    moving.body_hash = format!("{} from {from}", moving.body_hash);
    moving
}

/// A rotation, issued at 3000 ms unless told.
pub fn rotate(key: &str, server_id: i64, ip: &str) -> Incoming {
    issued(incoming(Action::Rotate, key, server_id, ip), 3_000)
}

/// A create for a group of servers.
pub fn join(key: &str, server_id: i64, ip: &str, group: &str) -> Incoming {
    let mut joining = create(key, server_id, ip);
    joining.command.group = Some(group.parse().expect("a name"));
    joining.body_hash = format!("{} in {group}", joining.body_hash);
    joining
}

/// The same, issued at another time.
pub fn issued(incoming: Incoming, issued_at_ms: i64) -> Incoming {
    when(incoming, Issued::At { ms: issued_at_ms, nanos: 0 })
}

/// The same, issued when it is said, or not said.
pub fn when(incoming: Incoming, issued: Issued) -> Incoming {
    Incoming { issued, ..incoming }
}

fn incoming(action: Action, key: &str, server_id: i64, ip: &str) -> Incoming {
    let body = format!("{action} {server_id} {ip}");
    Incoming {
        key: MessageKey(key.to_owned()),
        message_id: Some(key.to_owned()),
        command: Command {
            action,
            server_id,
            from_server_id: None,
            ip_address: ip.parse().expect("an address"),
            vlan_name: None,
            mac_address: None,
            group: None,
            pool: None,
            issued: None,
            requested_by: None,
            reference: None,
        },
        issued: Issued::At { ms: 1_000, nanos: 0 },
        arrival: Arrival { number: 1, is_kept: false },
        body_hash: format!("hash of {body}"),
        message_identity: format!("message {key} {body}"),
        body: body.into_bytes(),
        correlation_id: Some("corr".to_owned()),
        traceparent: None,
        headers: json!({}),
        timestamp: None,
        stamped_at_ms: None,
        replay_number: 0,
    }
}
