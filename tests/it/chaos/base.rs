//! The database of a soak: one server that dies and comes back, or with `VMACD_CHAOS_STANDBY` a primary whose synchronous standby is
//! promoted each time it dies, behind poolers that lead to whichever takes writes.

use tokio::runtime::Handle;
use tokio::task::block_in_place;

use crate::support::Proxy;
use crate::support::pair::Pair;
use crate::support::postgres::{Database, PgBouncer, Postgres, authority, fresh_database_on};
use crate::support::vmacd::Settings;

const DATABASE: &str = "postgres";

pub enum Base {
    One(Postgres, Database),
    /// With a pooler in transaction mode for the workers, and one in session mode for what knows no other.
    Two(Box<Pair>, [PgBouncer; 2]),
}

impl Base {
    pub async fn start() -> Self {
        if std::env::var_os("VMACD_CHAOS_STANDBY").is_none() {
            let postgres = Postgres::private();
            let database = fresh_database_on(postgres.url()).await;
            return Self::One(postgres, database);
        }
        let pair = Pair::start().await;
        pair.synchronous().await;
        let poolers = ["transaction", "session"].map(|mode| pair.pooler(mode));
        Self::Two(Box::new(pair), poolers)
    }

    /// For whoever looks on.
    pub fn url(&self) -> String {
        match self {
            Self::One(_, database) => database.url(),
            Self::Two(_, [_, session]) => session.url().to_owned(),
        }
    }

    /// What workers connect to, for a proxy in front of it.
    pub fn authority(&self) -> &str {
        match self {
            Self::One(_, database) => database.authority(),
            Self::Two(_, [transaction, _]) => authority(transaction.url()),
        }
    }

    /// The settings of workers, by way of the proxy.
    pub fn through(&self, proxy: &Proxy, settings: Settings) -> Settings {
        let through = |url: &str| url.replace(authority(url), &format!("127.0.0.1:{}", proxy.port()));
        match self {
            Self::One(_, database) => settings.set("VMACD_DATABASE_URL", through(&database.url())),
            Self::Two(_, [transaction, _]) => settings
                .set("VMACD_DATABASE_URL", through(transaction.url()))
                .set("VMACD_DATABASE_POOLER", "transaction"),
        }
    }

    /// The settings of a verb, past all proxies.
    pub fn direct(&self, settings: Settings) -> Settings {
        match self {
            Self::One(_, database) => settings.set("VMACD_DATABASE_URL", database.url()),
            Self::Two(pair, _) => settings.set("VMACD_DATABASE_URL", pair.url(DATABASE)),
        }
    }

    /// The server dies and comes back, or the other one takes its place.
    pub fn break_down(&mut self) {
        block_in_place(|| match self {
            Self::One(postgres, _) => {
                postgres.kill9();
                postgres.start_again();
            }
            Self::Two(pair, poolers) => Handle::current().block_on(async {
                pair.kill_primary();
                pair.promote().await;
                poolers.iter().for_each(|pooler| pooler.lead_to(&pair.primary_url(DATABASE)));
                pair.rejoin().await;
                pair.synchronous().await;
            }),
        });
    }
}
