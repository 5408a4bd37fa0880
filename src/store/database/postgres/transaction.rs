//! A connection in hand, and a transaction on it.

use std::sync::Arc;
use std::time::Instant;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnection, PgRow, Postgres};
use sqlx::{AssertSqlSafe, SqlSafeStr, Transaction};

use crate::store::database::postgres::primary::{Moves, Primary, while_here};
use crate::store::database::postgres::session::{SessionSettings, Sessions};
use crate::store::database::statement::{Arg, for_postgres, query};

/// The host of a connection that is in hand.
pub(in crate::store) struct Place {
    primary: Arc<Primary>,
    moves: Moves,
    taken: Instant,
}

impl Place {
    /// Where a connection leads that is taken now; `moves` are those since before it was taken.
    pub fn new(primary: Arc<Primary>, moves: Moves) -> Self {
        Self { primary, moves, taken: Instant::now() }
    }

    /// Waits for what is asked of the connection, for as long as its host is the one in use.
    async fn wait<T>(&mut self, work: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
        self.primary.watch(self.taken, while_here(&mut self.moves, work)).await
    }
}

/// A connection in hand.
pub(in crate::store) struct Held {
    pub connection: PoolConnection<Postgres>,
    pub place: Place,
}

impl Held {
    /// Runs a statement by itself, in a session of its own.
    pub async fn run(&mut self, sql: &str, arguments: Vec<Arg>) -> Result<Vec<PgRow>, sqlx::Error> {
        self.place.wait(fetch(&mut self.connection, sql, arguments, Sessions::Own)).await
    }
}

/// A statement is prepared once for the connection; behind a pooler each time anew and without a name, which holds within a
/// transaction.
async fn fetch(
    connection: &mut PgConnection,
    sql: &str,
    arguments: Vec<Arg>,
    sessions: Sessions,
) -> Result<Vec<PgRow>, sqlx::Error> {
    query!(for_postgres(sql), arguments).persistent(sessions == Sessions::Own).fetch_all(connection).await
}

/// A transaction; rolled back when dropped.
pub(in crate::store) struct PgTx {
    transaction: Transaction<'static, Postgres>,
    place: Place,
    sessions: Sessions,
}

impl PgTx {
    /// Begins one. Must not be cancelled: see [`PgPools::begin`](super::pools::PgPools::begin).
    ///
    /// # Errors
    /// Besides others a division by zero where a pooler leads to another database than before
    /// ([`Lineage::guard`](crate::store::database::lineage::Lineage::guard)).
    pub async fn begin(held: Held, settings: &SessionSettings) -> Result<Self, sqlx::Error> {
        let Held { connection, mut place } = held;
        let mut sql = settings.begin();
        let guard = (settings.sessions == Sessions::Pooled).then(|| place.primary.lineage.guard()).flatten();
        if let Some(guard) = guard {
            sql = format!("{sql}; {guard}");
        }
        let begun = Transaction::begin(connection, Some(AssertSqlSafe(sql).into_sql_str()));
        let transaction = place.wait(begun).await?;
        Ok(Self { transaction, place, sessions: settings.sessions })
    }

    /// Runs a statement and gives the rows that it returns.
    pub async fn run(&mut self, sql: &str, arguments: Vec<Arg>) -> Result<Vec<PgRow>, sqlx::Error> {
        self.place.wait(fetch(&mut self.transaction, sql, arguments, self.sessions)).await
    }

    /// Makes everything durable. If it fails it is not known whether it is.
    pub async fn commit(mut self) -> Result<(), sqlx::Error> {
        self.place.wait(self.transaction.commit()).await
    }
}
