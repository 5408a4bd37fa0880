//! A write transaction: statements that become durable together, or not at all.

use std::sync::Arc;

use serde::Serialize;
use sqlx::Transaction;
use sqlx::sqlite::{Sqlite, SqlitePool};

use crate::store::database::engine::{Engine, Meter, Pools, Row, on_sqlite};
use crate::store::database::error::StoreError;
use crate::store::database::postgres::pools::Commits;
use crate::store::database::postgres::transaction::PgTx;
use crate::store::database::statement::{Arg, batch_arg, for_postgres};
use crate::store::events::outbox::{Event, Outbox};

/// A statement that is sent together with others: see [`Tx::together`].
pub(in crate::store) struct Statement {
    sql: String,
    arguments: Vec<Arg>,
}

impl Statement {
    /// A statement with these arguments.
    pub fn new(sql: &str, arguments: Vec<Arg>) -> Self {
        Self { sql: sql.to_owned(), arguments }
    }

    /// A statement over a batch; none for an empty one.
    pub fn batch(sql: &str, rows: Vec<impl Serialize>, mut more: Vec<Arg>) -> Option<Self> {
        if rows.is_empty() {
            return None;
        }
        more.insert(0, batch_arg(rows));
        Some(Self::new(sql, more))
    }
}

/// One statement for several, each a part that changes what it changes.
fn as_one(statements: Vec<Statement>) -> Statement {
    let (mut parts, mut arguments) = (Vec::new(), Vec::new());
    for (number, statement) in statements.into_iter().enumerate() {
        let sql = shifted(&for_postgres(&statement.sql), arguments.len());
        parts.push(format!("s{number} AS ({sql} RETURNING 1)"));
        arguments.extend(statement.arguments);
    }
    Statement { sql: format!("WITH {} SELECT 1 AS one", parts.join(", ")), arguments }
}

/// The statement with the numbers of its arguments raised: `$1` is `$4` behind three others.
fn shifted(sql: &str, by: usize) -> String {
    let mut parts = sql.split('$');
    let mut shifted = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|symbol: char| !symbol.is_ascii_digit()).unwrap_or(part.len());
        let number: usize = part[..end].parse().unwrap_or_default();
        shifted.push_str(&format!("${}{}", number + by, &part[end..]));
    }
    shifted
}

/// A write transaction; rolled back when dropped.
pub(in crate::store) struct Tx {
    begun: Begun,
    meter: Meter,
    outbox: Arc<Outbox>,
    /// The events that it wrote.
    events: Vec<Event>,
}

enum Begun {
    Postgres(PgTx),
    Sqlite(Transaction<'static, Sqlite>),
}

async fn begin(pools: &Pools) -> Result<Begun, sqlx::Error> {
    match pools {
        Pools::Postgres(pools) => Ok(Begun::Postgres(pools.begin(Commits::Synced).await?)),
        Pools::Sqlite { write, .. } => Ok(Begun::Sqlite(begin_sqlite(write.clone()).await?)),
    }
}

/// Begins in a task that always runs to its end, as on Postgres
/// ([`PgPools::begin`](crate::store::database::postgres::pools::PgPools::begin)).
async fn begin_sqlite(write: SqlitePool) -> Result<Transaction<'static, Sqlite>, sqlx::Error> {
    #[expect(clippy::disallowed_methods, reason = "it is awaited, and its panic resumed")]
    let beginning = tokio::spawn(async move { write.begin_with("BEGIN IMMEDIATE").await });
    beginning.await.unwrap_or_else(|ended| match ended.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        // The runtime is shutting down.
        Err(_) => Err(sqlx::Error::WorkerCrashed),
    })
}

impl Tx {
    /// Begins a write transaction; on SQLite it is alone from the start. `outbox` publishes the events that it writes.
    pub async fn begin(engine: &Engine, outbox: &Arc<Outbox>, what: &'static str) -> Result<Self, StoreError> {
        let meter = engine.meter.clone();
        let begun = meter.send(what, begin(&engine.pools)).await?;
        Ok(Self { begun, meter, outbox: outbox.clone(), events: Vec::new() })
    }

    /// Runs a statement and gives the rows that it returns.
    pub async fn run(&mut self, what: &'static str, sql: &str, arguments: Vec<Arg>) -> Result<Vec<Row>, StoreError> {
        let work = async {
            match &mut self.begun {
                Begun::Postgres(tx) => Ok(tx.run(sql, arguments).await?.into_iter().map(Row::Postgres).collect()),
                Begun::Sqlite(tx) => on_sqlite(&mut **tx, sql, arguments).await,
            }
        };
        self.meter.send(what, work).await
    }

    /// Runs a statement over a batch; nothing at all for an empty one.
    pub async fn batch(
        &mut self,
        what: &'static str,
        sql: &str,
        rows: Vec<impl Serialize>,
        mut more: Vec<Arg>,
    ) -> Result<Vec<Row>, StoreError> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        more.insert(0, batch_arg(rows));
        self.run(what, sql, more).await
    }

    /// Runs statements that write and that neither see nor change what another one of them does. Postgres gets them as one,
    /// which saves the time of sending them one after another.
    pub async fn together(
        &mut self,
        what: &'static str,
        statements: impl IntoIterator<Item = Option<Statement>>,
    ) -> Result<(), StoreError> {
        let mut statements: Vec<Statement> = statements.into_iter().flatten().collect();
        if self.is_postgres() && statements.len() > 1 {
            statements = vec![as_one(statements)];
        }
        for Statement { sql, arguments } in statements {
            self.run(what, &sql, arguments).await?;
        }
        Ok(())
    }

    /// Runs a statement together with one that it may refer to, and gives the rows that it returns.
    pub async fn run_after(
        &mut self,
        what: &'static str,
        before: Option<Statement>,
        last: Statement,
    ) -> Result<Vec<Row>, StoreError> {
        let Statement { mut sql, mut arguments } = last;
        match before {
            Some(before) if self.is_postgres() => {
                let first = for_postgres(&before.sql);
                sql = format!("WITH s0 AS ({first}) {}", shifted(&for_postgres(&sql), before.arguments.len()));
                arguments.splice(0..0, before.arguments);
            }
            Some(before) => drop(self.run(what, &before.sql, before.arguments).await?),
            None => {}
        }
        self.run(what, &sql, arguments).await
    }

    /// True where several statements can be one with another's rows in it.
    pub const fn is_postgres(&self) -> bool {
        matches!(self.begun, Begun::Postgres(_))
    }

    /// Runs a statement that only Postgres needs: on SQLite a write transaction is alone.
    pub async fn on_postgres(&mut self, what: &'static str, sql: &'static str) -> Result<(), StoreError> {
        match self.begun {
            Begun::Postgres(_) => self.run(what, sql, Vec::new()).await.map(|_| ()),
            Begun::Sqlite(_) => Ok(()),
        }
    }

    /// Who publishes the events that it writes.
    pub fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// Notes events that it wrote: the outbox has them at hand once they are durable.
    pub fn wrote(&mut self, events: Vec<Event>) {
        self.events.extend(events);
    }

    /// Makes everything durable.
    pub async fn commit(self, what: &'static str) -> Result<(), StoreError> {
        let work = async {
            match self.begun {
                Begun::Postgres(tx) => tx.commit().await,
                Begun::Sqlite(tx) => tx.commit().await,
            }
        };
        self.meter.send(what, work).await?;
        self.outbox.committed(self.events);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_become_one_with_their_arguments_one_after_another() {
        let one = Statement::batch("UPDATE a SET b = $2 FROM {rows}", vec![1], vec![Arg::from(7)]);
        let other = Statement::batch("DELETE FROM c WHERE d = $2 AND e < $12", vec![2], vec![Arg::from(8)]);
        let together = as_one(one.into_iter().chain(other).collect());
        assert_eq!(
            together.sql,
            "WITH s0 AS (UPDATE a SET b = $2 FROM jsonb_array_elements($1::jsonb) AS e(value) RETURNING 1), \
             s1 AS (DELETE FROM c WHERE d = $4 AND e < $14 RETURNING 1) SELECT 1 AS one"
        );
        assert_eq!(together.arguments.len(), 4);
        assert!(Statement::batch("", Vec::<i64>::new(), Vec::new()).is_none());
    }
}
