//! A primary and a streaming standby, of a test's own: killed, promoted, made anew, held back.

use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};

use super::postgres::{PgBouncer, authority, on};
use super::servers::Private;
use super::{Proxy, eventually};

/// Two servers of which one follows the other.
#[derive(Debug)]
pub struct Pair {
    nodes: [Private; 2],
    /// Which of them takes writes.
    primary: usize,
    /// The way by which the standby follows, where a test may hold it back.
    way: Option<Proxy>,
}

impl Pair {
    /// A primary with a standby that follows it (about 3 s). Commits do not wait for the standby until
    /// [`Pair::synchronous`].
    pub async fn start() -> Self {
        let primary = Private::start("postgres", &[]);
        let standby = Private::start("standby", &[("VMACD_TEST_UPSTREAM", primary.name())]);
        Self { nodes: [primary, standby], primary: 0, way: None }.following().await
    }

    /// The same with a standby that may be held back ([`Pair::hold_back`]) until it is promoted.
    pub async fn start_to_hold_back() -> Self {
        let primary = Private::start("postgres", &[]);
        let way = Proxy::start(authority(&primary.url)).await;
        let port = way.port().to_string();
        let variables = [("VMACD_TEST_UPSTREAM", primary.name()), ("VMACD_TEST_UPSTREAM_PORT", &port)];
        let standby = Private::start("standby", &variables);
        Self { nodes: [primary, standby], primary: 0, way: Some(way) }.following().await
    }

    async fn following(self) -> Self {
        self.until_followed("streaming").await;
        self
    }

    /// Host and port of both.
    pub fn authorities(&self) -> [String; 2] {
        [0, 1].map(|node: usize| authority(&self.nodes[node].url).to_owned())
    }

    /// A URL with both hosts, of this database.
    pub fn url(&self, database: &str) -> String {
        let [one, other] = self.authorities();
        let login = self.nodes[0].url.split_once("@").expect("a login").0;
        format!("{login}@{one},{other}/{database}?target_session_attrs=read-write")
    }

    /// The URL of the server that takes writes, of this database.
    pub fn primary_url(&self, database: &str) -> String {
        on(&self.nodes[self.primary].url, database)
    }

    /// A pooler in this mode that leads to the server that takes writes; after a promotion it must be led to the other one.
    pub fn pooler(&self, mode: &str) -> PgBouncer {
        PgBouncer::in_front_of(&self.nodes[self.primary], mode)
    }

    /// From now on a commit waits until the standby has it on its disk.
    pub async fn synchronous(&self) {
        self.set_synchronous("'*'").await;
        self.until_followed("sync").await;
    }

    async fn set_synchronous(&self, names: &str) {
        self.execute(&format!("ALTER SYSTEM SET synchronous_standby_names = {names}")).await;
        self.execute("SELECT pg_reload_conf()").await;
    }

    /// Waits until the standby follows in this state (`streaming`, or `sync` where commits wait for it).
    async fn until_followed(&self, wanted: &str) {
        let sql = "SELECT state, sync_state FROM pg_stat_replication";
        eventually("the standby follows", async || {
            let mut connection = self.connect().await;
            let rows = sqlx::query(sql).fetch_all(&mut connection).await.expect("an answer");
            let states: Vec<String> = rows.iter().flat_map(|row| [row.get(0), row.get(1)]).collect();
            if states.iter().any(|state| state == wanted) { Ok(()) } else { Err(states) }
        })
        .await;
    }

    /// True once the standby has everything that the primary has written by now.
    pub async fn is_followed_up(&self) -> bool {
        let sql = "SELECT count(*) FROM pg_stat_replication WHERE replay_lsn >= pg_current_wal_lsn()";
        self.count("postgres", sql).await > 0
    }

    /// Lets nothing through to the standby from now on.
    pub fn hold_back(&self) {
        self.way.as_ref().expect("a pair to hold back").black_hole();
    }

    /// SIGKILL for the primary.
    pub fn kill_primary(&mut self) {
        self.nodes[self.primary].kill9();
    }

    /// The standby becomes the primary, whether the other one is gone or not, and its commits wait for nobody.
    pub async fn promote(&mut self) {
        self.primary = 1 - self.primary;
        self.execute("SELECT pg_promote(true, 60)").await;
        self.set_synchronous("''").await;
    }

    /// The server that is not the primary is made anew and follows it.
    pub async fn rejoin(&mut self) {
        let primary = self.nodes[self.primary].name().to_owned();
        self.nodes[1 - self.primary].start_again_as("standby", &[("VMACD_TEST_UPSTREAM", &primary)]);
        self.until_followed("streaming").await;
    }

    /// A connection to the primary's database `postgres`.
    async fn connect(&self) -> PgConnection {
        PgConnection::connect(&self.nodes[self.primary].url).await.expect("the primary takes connections")
    }

    async fn execute(&self, statement: &str) {
        let done = sqlx::query(AssertSqlSafe(statement)).execute(&mut self.connect().await).await;
        done.unwrap_or_else(|error| panic!("{statement}: {error}"));
    }

    /// The number that a query gives on the primary.
    pub async fn count(&self, database: &str, sql: &str) -> i64 {
        let mut connection = PgConnection::connect(&self.primary_url(database)).await.expect("a connection");
        let row = sqlx::query(AssertSqlSafe(sql)).fetch_one(&mut connection).await;
        row.unwrap_or_else(|error| panic!("{sql}: {error}")).get(0)
    }
}
