//! Why Postgres gives no connection.

use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection};

/// How long the server is asked.
const PATIENCE: Duration = Duration::from_secs(2);

/// Replaces a pool's timeout by the reason that the server gives. The pool retries while connections are refused, too many or
/// not possible yet, and then reports only that its time is over.
pub(in crate::store) async fn with_server_reason<T>(
    options: &PgConnectOptions,
    result: Result<T, sqlx::Error>,
) -> Result<T, sqlx::Error> {
    let Err(error @ sqlx::Error::PoolTimedOut) = result else { return result };
    match tokio::time::timeout(PATIENCE, options.connect()).await {
        Ok(Err(reason)) => Err(reason),
        Ok(Ok(connection)) => {
            // The server would give one: ours are all in use.
            let _ = connection.close().await;
            Err(error)
        }
        Err(_) => Err(error),
    }
}
