//! PostgreSQL: a fresh database on the shared server, or a server of a test's own that may be crashed.

use super::run_dir::setting;
use super::servers::Private;
use super::{eventually, unique};
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

    /// Its URL, of the database `postgres`.
    pub fn url(&self) -> &str {
        &self.0.url
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

async fn run(url: &str, statement: String) {
    execute(url, statement).await.unwrap_or_else(|error| panic!("{}: {error}", authority(url)));
}

async fn execute(url: &str, statement: String) -> Result<(), sqlx::Error> {
    let mut connection = PgConnection::connect(url).await?;
    sqlx::query(AssertSqlSafe(statement)).execute(&mut connection).await?;
    connection.close().await
}

fn on(server_url: &str, database: &str) -> String {
    let (server, _) = server_url.rsplit_once('/').expect("a URL with a database");
    format!("{server}/{database}")
}

fn authority(url: &str) -> &str {
    let rest = url.rsplit_once('@').map_or(url, |(_, rest)| rest);
    rest.split_once('/').map_or(rest, |(authority, _)| authority)
}
