//! Asking hosts which of them takes writes.

use std::cmp::Reverse;
use std::io;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection, Executor, Row};

use crate::store::database::postgres::hosts::name_of;

/// How long a host is asked.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long the others may still take once one has said that it takes writes: a former primary that was cut off may say so too.
const OTHERS_PATIENCE: Duration = Duration::from_millis(300);

/// True where nothing can be written, and the timeline in hexadecimal where something can.
const STATE: &str = "SELECT current_setting('transaction_read_only') = 'on' AS is_read_only, \
    CASE WHEN pg_is_in_recovery() THEN NULL ELSE SUBSTR(pg_walfile_name(pg_current_wal_lsn()), 1, 8) END AS timeline";
/// The same where the server does not show its write position.
const STATE_ONLY: &str = "SELECT current_setting('transaction_read_only') = 'on' AS is_read_only, '0' AS timeline";

/// The number of the host to use: one that takes writes; of several the one with the newest timeline, because a former
/// primary that nobody stopped has an older one; of several with that one, the first.
///
/// # Errors
/// The first host's own words where every host answered and refused; else what each of them is.
pub(in crate::store) async fn find_writable(hosts: &[PgConnectOptions]) -> Result<usize, sqlx::Error> {
    let mut asked: FuturesUnordered<_> =
        hosts.iter().enumerate().map(|(number, host)| async move { (number, ask(host).await) }).collect();
    let mut best: Option<(u32, Reverse<usize>)> = None;
    let mut refusals = Vec::new();
    loop {
        let next = match best {
            None => asked.next().await,
            Some(_) => tokio::time::timeout(OTHERS_PATIENCE, asked.next()).await.ok().flatten(),
        };
        match next {
            Some((number, Ok(timeline))) => best = best.max(Some((timeline, Reverse(number)))),
            Some((number, Err(why))) => refusals.push((number, why)),
            None => break,
        }
    }
    best.map(|(_, Reverse(number))| number).ok_or_else(|| none_of(hosts, refusals))
}

/// The timeline of a host that takes writes; 0 where it does not say.
async fn ask(host: &PgConnectOptions) -> Result<u32, sqlx::Error> {
    let asked = async {
        let mut connection = host.connect().await?;
        let answer = state(&mut connection).await;
        let _ = connection.close().await;
        answer
    };
    tokio::time::timeout(PATIENCE, asked)
        .await
        .unwrap_or_else(|_| Err(not_now(io::ErrorKind::TimedOut, "it does not answer")))
}

async fn state(connection: &mut PgConnection) -> Result<u32, sqlx::Error> {
    let row = match connection.fetch_one(STATE).await {
        Err(sqlx::Error::Database(_)) => connection.fetch_one(STATE_ONLY).await?,
        row => row?,
    };
    match row.try_get("timeline")? {
        Some(timeline) if !row.try_get::<bool, _>("is_read_only")? => {
            Ok(u32::from_str_radix(timeline, 16).unwrap_or(0))
        }
        Some(_) => Err(not_now(io::ErrorKind::ReadOnlyFilesystem, "it is read-only")),
        None => Err(not_now(io::ErrorKind::ReadOnlyFilesystem, "it is a standby")),
    }
}

/// An error that passes.
pub(in crate::store) fn not_now(kind: io::ErrorKind, why: impl Into<String>) -> sqlx::Error {
    sqlx::Error::Io(io::Error::new(kind, why.into()))
}

fn none_of(hosts: &[PgConnectOptions], mut refusals: Vec<(usize, sqlx::Error)>) -> sqlx::Error {
    refusals.sort_by_key(|(number, _)| *number);
    let is_refused = |(_, why): &(usize, sqlx::Error)| matches!(why, sqlx::Error::Database(_));
    if refusals.iter().all(is_refused) && !refusals.is_empty() {
        return refusals.swap_remove(0).1;
    }
    let each: Vec<_> =
        refusals.iter().map(|(number, why)| format!("{}: {}", name_of(&hosts[*number]), words(why))).collect();
    not_now(io::ErrorKind::NotConnected, format!("no host takes writes: {}", each.join("; ")))
}

/// What the host or the network said, without what sqlx says before it.
fn words(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Io(error) => error.to_string(),
        sqlx::Error::Database(error) => error.message().to_owned(),
        error => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(port: u16) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass().host("127.0.0.1").port(port).username("u").password("hunter2")
    }

    #[tokio::test]
    async fn when_no_host_takes_writes_each_is_named_with_its_reason_and_the_error_passes() {
        // Nothing listens on a port that was just given back.
        let gone = || std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound").port();
        let hosts = [host(gone()), host(gone())];
        let error = find_writable(&hosts).await.expect_err("nobody is there");
        let text = error.to_string();
        assert!(hosts.iter().all(|host| text.contains(&name_of(host))) && text.contains("refused"), "{text}");
        assert!(matches!(error, sqlx::Error::Io(_)) && !text.contains("hunter2"), "{text}");
    }
}
