//! PostgreSQL: a fresh database on the shared server, or a server of a test's own that may be crashed.

use super::run_dir::{run_dir, setting};
use super::servers::Private;
use super::{TinyDisk, eventually, unique};
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};
use vmacd::store::{Store, StoreOptions};

/// The database that others are copied from.
const MIGRATED: &str = "vmacd_migrated";

/// A database of one test alone, dropped with the value.
#[derive(Debug)]
pub struct Database {
    server_url: String,
    name: String,
}

/// A fresh, empty database on the shared server.
pub async fn fresh_database() -> Database {
    fresh_database_on(&setting("VMACD_TEST_POSTGRES_URL")).await
}

/// A database with the newest tables on the shared server: a copy of one that is migrated once in a run.
pub async fn migrated_database() -> Database {
    let server_url = setting("VMACD_TEST_POSTGRES_URL");
    let mut server = PgConnection::connect(&server_url).await.expect("the server takes connections");
    // The first test of the run makes it, and the others wait until it is whole.
    sqlx::query("SELECT pg_advisory_lock(1)").execute(&mut server).await.expect("locked");
    let made = sqlx::query("SELECT 1 FROM pg_database WHERE datname = $1 AND datistemplate").bind(MIGRATED);
    if made.fetch_optional(&mut server).await.expect("an answer").is_none() {
        run(&server_url, format!("CREATE DATABASE {MIGRATED} TEMPLATE template0")).await;
        let store = Store::connect(&on(&server_url, MIGRATED), StoreOptions::default()).await.expect("a database");
        store.migrate().await.expect("tables");
        store.close().await;
        run(&server_url, format!("ALTER DATABASE {MIGRATED} IS_TEMPLATE true")).await;
    }
    let name = unique("vmacd");
    run(&server_url, format!("CREATE DATABASE {name} TEMPLATE {MIGRATED}")).await;
    server.close().await.expect("unlocked");
    Database { server_url, name }
}

/// A fresh, empty database on the server of that URL.
pub async fn fresh_database_on(server_url: &str) -> Database {
    let name = unique("vmacd");
    run(server_url, format!("CREATE DATABASE {name} TEMPLATE template0")).await;
    Database { server_url: server_url.to_string(), name }
}

impl Database {
    /// Its URL, with the password in it.
    pub fn url(&self) -> String {
        on(&self.server_url, &self.name)
    }

    /// Host and port of its server, for a proxy in front of it.
    pub fn authority(&self) -> &str {
        authority(&self.server_url)
    }

    /// Its URL by way of another port of 127.0.0.1 (a proxy's).
    pub fn url_through(&self, port: u16) -> String {
        self.url().replace(self.authority(), &format!("127.0.0.1:{port}"))
    }

    /// Its URL by way of the PgBouncer that all tests of this run share.
    pub fn pooled_url(&self) -> String {
        on(&setting("VMACD_TEST_PGBOUNCER_URL"), &self.name)
    }

    /// A connection of the test's own.
    pub async fn connect(&self) -> PgConnection {
        PgConnection::connect(&self.url()).await.expect("a fresh database takes connections")
    }

    /// Runs statements as the server's superuser, whatever the database allows others.
    pub async fn execute(&self, statements: String) {
        let mut connection = self.connect().await;
        sqlx::raw_sql(AssertSqlSafe(statements)).execute(&mut connection).await.expect("a superuser may");
    }

    /// The number that a query gives.
    pub async fn count(&self, sql: &'static str) -> i64 {
        let row = sqlx::query(sql).fetch_one(&mut self.connect().await).await;
        row.unwrap_or_else(|error| panic!("{sql}: {error}")).get(0)
    }

    /// A copy of it as it is now, once nobody is connected to it any more: what a backup would be.
    pub async fn copy(&self) -> Self {
        let copy = Self { server_url: self.server_url.clone(), name: unique("copy") };
        let statement = format!("CREATE DATABASE {} TEMPLATE {}", copy.name, self.name);
        eventually("nobody is connected to the database", async || {
            execute(&copy.server_url, statement.clone()).await.map_err(|error| error.to_string())
        })
        .await;
        copy
    }

    /// Puts a copy in its place, while others are connected and go on with it: what an operator does who restores a dump into
    /// the running server.
    pub async fn replace_by(&self, copy: Self) {
        let (name, other) = (&self.name, &copy.name);
        run(&self.server_url, format!("ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false")).await;
        eventually("nobody is connected to the database", async || {
            let end = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'");
            execute(&self.server_url, end).await.map_err(|error| error.to_string())?;
            let rename = format!("ALTER DATABASE {name} RENAME TO {name}_gone");
            execute(&self.server_url, rename).await.map_err(|error| error.to_string())
        })
        .await;
        run(&self.server_url, format!("ALTER DATABASE {other} RENAME TO {name}")).await;
        run(&self.server_url, format!("DROP DATABASE {name}_gone")).await;
        // It has no name of its own to be dropped by any more.
        std::mem::forget(copy);
    }

    /// Its name on its server.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Database {
    /// On a thread with a runtime of its own: a test's runtime cannot be waited for inside `drop`. Failure is no
    /// matter, the server goes with the run.
    fn drop(&mut self) {
        let (url, name) = (self.server_url.clone(), self.name.clone());
        let drop_it = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(execute(&url, format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")))
        };
        let _ = std::thread::spawn(drop_it).join();
    }
}

/// A server of its own, for tests that crash it.
#[derive(Debug)]
pub struct Postgres(Private);

impl Postgres {
    /// Starts one (about 1 s); it syncs to disk, as a real one would.
    pub fn private() -> Self {
        Self(Private::start("postgres", &[]))
    }

    /// Starts one that also speaks TLS, with `server.pem` and `server.key` of this folder.
    pub fn private_with_tls(certificates: &std::path::Path) -> Self {
        Self(Private::start("postgres", &[("VMACD_TEST_POSTGRES_TLS", &certificates.display().to_string())]))
    }

    /// Starts one whose folder, with all that it writes, is that disk.
    pub fn private_on(disk: &TinyDisk) -> Self {
        Self(Private::start_through(&disk.prefix(), "postgres", disk.name()))
    }

    /// Starts it again there, unless it runs.
    pub fn start_again_on(&mut self, disk: &TinyDisk) {
        self.0.start_again_through(&disk.prefix());
    }

    /// True until it has ended, by itself or not.
    pub fn is_running(&self) -> bool {
        self.0.is_running()
    }

    /// Its URL, of the database `postgres`.
    pub fn url(&self) -> &str {
        &self.0.url
    }

    /// A PgBouncer in transaction mode in front of it.
    pub fn pooler(&self) -> PgBouncer {
        PgBouncer::in_front_of(&self.0, "transaction")
    }

    /// SIGKILL.
    pub fn kill9(&mut self) {
        self.0.kill9();
    }

    /// A clean stop that ends sessions.
    pub fn stop(&mut self) {
        self.0.stop();
    }

    /// Starts it again on the same data and port.
    pub fn start_again(&mut self) {
        self.0.start_again();
    }
}

/// A PgBouncer of a test's own.
#[derive(Debug)]
pub struct PgBouncer(Private);

impl PgBouncer {
    /// One in front of that server, in this mode (`transaction`, `session`).
    pub fn in_front_of(server: &Private, mode: &str) -> Self {
        Self(Private::start("pgbouncer", &[("VMACD_TEST_UPSTREAM", server.name()), ("VMACD_TEST_POOL_MODE", mode)]))
    }

    /// Leads to another server from now on, by the port of its URL, as what watches over a failover would have it.
    pub fn lead_to(&self, url: &str) {
        let port = authority(url).rsplit_once(':').expect("a port").1;
        let file = run_dir().join(self.0.name()).join("pgbouncer.ini");
        let text = std::fs::read_to_string(&file).expect("its settings");
        let is_database = |line: &str| line.contains("= host=");
        let lines = text.lines().map(|line| match is_database(line) {
            true => format!("{} port={port}", line.rsplit_once(" port=").expect("a port").0),
            false => line.to_owned(),
        });
        std::fs::write(&file, lines.collect::<Vec<_>>().join("\n")).expect("written");
        self.0.signal("HUP");
    }

    /// The URL of its server's database `postgres` by way of it.
    pub fn url(&self) -> &str {
        &self.0.url
    }
}

async fn run(url: &str, statement: String) {
    execute(url, statement).await.unwrap_or_else(|error| panic!("{}: {error}", authority(url)));
}

async fn execute(url: &str, statement: String) -> Result<(), sqlx::Error> {
    let mut connection = PgConnection::connect(url).await?;
    sqlx::query(AssertSqlSafe(statement)).execute(&mut connection).await?;
    connection.close().await
}

/// The URL of this database on that server.
pub fn on(server_url: &str, database: &str) -> String {
    let (server, _) = server_url.rsplit_once('/').expect("a URL with a database");
    format!("{server}/{database}")
}

/// Host and port of a URL.
pub fn authority(url: &str) -> &str {
    let rest = url.rsplit_once('@').map_or(url, |(_, rest)| rest);
    rest.split_once('/').map_or(rest, |(authority, _)| authority)
}
