//! The statements of the former version, recorded by `tests/record-statements`, against the tables of this one.

use sqlx::{AssertSqlSafe, Executor, SqlSafeStr};

use crate::support::postgres::migrated_database;

const RECORDED: &str = include_str!("statements.sql");
/// SQLSTATE `indeterminate_datatype`: the statement alone does not say of which type a parameter is. The program does.
const UNCLEAR: &str = "42P18";

#[tokio::test]
async fn every_statement_of_the_former_version_fits_the_newest_tables() {
    let database = migrated_database().await;
    let mut connection = database.connect().await;
    let (mut fitting, mut broken) = (0, Vec::new());
    for sql in RECORDED.lines() {
        match connection.prepare(AssertSqlSafe(sql).into_sql_str()).await {
            Ok(_) => fitting += 1,
            Err(error)
                if error.as_database_error().and_then(|error| error.code()).is_some_and(|code| code == UNCLEAR) => {}
            Err(error) => broken.push(format!("{error}: {sql}")),
        }
    }
    assert!(broken.is_empty(), "{} statements no longer fit:\n{}", broken.len(), broken.join("\n"));
    let all = RECORDED.lines().count();
    assert!(all > 100 && fitting * 10 > all * 9, "only {fitting} of {all} say enough to be prepared");
}
