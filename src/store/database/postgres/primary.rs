//! Which host takes writes now, and which connections are still of use.
//!
//! A failover shows in many ways: connections break, the server says that it shuts down, a statement is refused because
//! what it runs on has become a standby (SQLSTATE 25006), or nothing is answered at all. After each of them the hosts are asked
//! again before another connection is given out, and none that was made before is. Neither is one whose prepared statements are
//! of tables as they were before a migration.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::postgres::PgConnectOptions;
use tokio::sync::watch;

use crate::store::database::error::{ends_connections, is_stale_plan};
use crate::store::database::lineage::Lineage;
use crate::store::database::postgres::hosts::{Hosts, name_of};
use crate::store::database::postgres::probe::{find_writable, not_now};

/// After so long a wait for an answer the hosts are asked: one that went silent would be waited for until the statement's limit.
const SILENCE: Duration = Duration::from_secs(2);

/// What the connections of one process know together.
#[derive(Debug)]
pub(in crate::store) struct Primary {
    hosts: Hosts,
    pub lineage: Arc<Lineage>,
    /// Connections that are older than this are not used any more.
    fresh_since: Mutex<Instant>,
    /// How often it was doubted that the host in use takes writes.
    doubts: watch::Sender<u64>,
    /// What the hosts said last; held while they are asked.
    found: tokio::sync::Mutex<Option<Found>>,
    /// The number of the host in use, and how often it was another one than before.
    place: watch::Sender<(usize, u64)>,
}

#[derive(Debug, Clone, Copy)]
struct Found {
    at: Instant,
    /// How many doubts had been raised by then.
    doubts: u64,
}

/// Notices that another host is in use.
pub(in crate::store) type Moves = watch::Receiver<(usize, u64)>;

impl Primary {
    pub fn new(hosts: Hosts) -> Self {
        Self {
            hosts,
            lineage: Arc::default(),
            fresh_since: Mutex::new(Instant::now()),
            doubts: watch::Sender::new(0),
            found: tokio::sync::Mutex::default(),
            place: watch::Sender::new((0, 0)),
        }
    }

    /// The host in use, with its number.
    pub fn host(&self) -> (usize, &PgConnectOptions) {
        let number = self.place.borrow().0;
        (number, &self.hosts.all[number])
    }

    /// True where only a host that takes writes is used.
    pub const fn is_for_writes(&self) -> bool {
        self.hosts.is_for_writes
    }

    /// Whoever waits for a connection hears of doubts.
    pub fn doubts(&self) -> watch::Receiver<u64> {
        self.doubts.subscribe()
    }

    /// Whoever has a connection hears of moves.
    pub fn moves(&self) -> Moves {
        self.place.subscribe()
    }

    /// Asks the hosts where there is doubt, one caller for all. With one host that is used as it is there is nothing to ask.
    ///
    /// # Errors
    /// When no host takes writes now.
    pub async fn settle(&self) -> Result<(), sqlx::Error> {
        if !self.hosts.is_for_writes {
            return Ok(());
        }
        let mut found = self.found.lock().await;
        let doubts = *self.doubts.borrow();
        if found.is_some_and(|found| found.doubts == doubts) {
            return Ok(());
        }
        let host = find_writable(&self.hosts.all).await?;
        let is_first = found.replace(Found { at: Instant::now(), doubts }).is_none();
        self.move_to(host, is_first);
        Ok(())
    }

    fn move_to(&self, host: usize, is_first: bool) {
        let (before, moves) = *self.place.borrow();
        if host == before {
            return;
        }
        if !is_first {
            let (from, to) = (name_of(&self.hosts.all[before]), name_of(&self.hosts.all[host]));
            tracing::warn!(%from, %to, "another host of the database takes the writes now");
        }
        self.renew();
        self.place.send_replace((host, moves + 1));
    }

    /// The hosts are asked again before the next connection is given out.
    pub fn doubt(&self) {
        self.doubts.send_modify(|doubts| *doubts += 1);
    }

    /// No connection that was made until now is used again.
    fn renew(&self) {
        *self.fresh_since() = Instant::now();
    }

    /// True for a connection that was made at this time, and that is still of use.
    pub fn is_fresh(&self, made: Instant) -> bool {
        made > *self.fresh_since()
    }

    /// Does something on a connection that was taken at `taken`, and notes how it ends. What others noticed since then is not
    /// new. While there is no answer the hosts are asked now and then.
    pub async fn watch<T>(
        &self,
        taken: Instant,
        work: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, sqlx::Error> {
        let result = tokio::select! {
            biased;
            result = work => result,
            never = self.ask_now_and_then() => match never {},
        };
        match &result {
            Err(error) if ends_connections(error) && self.is_fresh(taken) => {
                self.renew();
                self.lineage.cut();
                self.doubt();
            }
            // Refused for as long as the connection lives; the driver keeps the statement.
            Err(error) if is_stale_plan(error) && self.is_fresh(taken) => self.renew(),
            _ => {}
        }
        result
    }

    async fn ask_now_and_then(&self) -> Infallible {
        if !self.hosts.is_for_writes {
            return std::future::pending().await;
        }
        loop {
            tokio::time::sleep(SILENCE).await;
            let asked = self.found.lock().await.map(|found| found.at);
            if asked.is_none_or(|asked| asked.elapsed() >= SILENCE) {
                self.doubt();
            }
            // Where it fails, somebody else's answer or the next round is waited for.
            let _ = self.settle().await;
        }
    }

    fn fresh_since(&self) -> std::sync::MutexGuard<'_, Instant> {
        self.fresh_since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is asked of a connection, for as long as its host is the one in use. A host that went silent would be waited for until
/// the statement's limit, on each of its connections.
pub(in crate::store) async fn while_here<T>(
    moves: &mut Moves,
    work: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    tokio::select! {
        biased;
        result = work => result,
        Ok(()) = moves.changed() => {
            Err(not_now(std::io::ErrorKind::ConnectionAborted, "another host of the database takes the writes now"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn primary(url: &str) -> Primary {
        Primary::new(Hosts::of(url).expect("hosts"))
    }

    fn broken() -> Result<(), sqlx::Error> {
        Err(not_now(std::io::ErrorKind::ConnectionReset, "reset"))
    }

    #[tokio::test]
    async fn what_breaks_one_connection_ends_all_that_were_made_before_and_none_that_is_made_after() {
        let primary = primary("postgres://h1,h2/db");
        let made = Instant::now();
        assert!(primary.is_fresh(made));
        assert!(primary.watch(made, async { broken() }).await.is_err());
        assert!(!primary.is_fresh(made) && *primary.doubts().borrow() == 1);
        let made_after = Instant::now();
        assert!(primary.watch(made, async { broken() }).await.is_err(), "a connection of before breaks too");
        assert!(primary.is_fresh(made_after) && *primary.doubts().borrow() == 1, "that is known");
    }

    #[tokio::test]
    async fn what_a_statement_does_wrong_ends_no_connection() {
        let primary = primary("postgres://h1,h2/db");
        let made = Instant::now();
        assert!(primary.watch(made, async { Err::<(), _>(sqlx::Error::RowNotFound) }).await.is_err());
        assert!(primary.is_fresh(made) && *primary.doubts().borrow() == 0);
    }

    #[tokio::test]
    async fn what_waits_on_a_silent_host_ends_once_another_one_is_used() {
        let primary = primary("postgres://h1,h2/db");
        let mut moves = primary.moves();
        primary.move_to(1, false);
        assert_eq!(primary.host().0, 1);
        let silent = std::future::pending::<Result<(), sqlx::Error>>();
        let error = while_here(&mut moves, silent).await.expect_err("it moved");
        assert!(error.to_string().contains("another host"), "{error}");
        assert!(while_here(&mut moves, async { Ok(()) }).await.is_ok(), "what comes in time is taken");
    }

    #[tokio::test]
    async fn one_host_that_is_used_as_it_is_is_not_asked() {
        let primary = primary("postgres://h1/db");
        primary.doubt();
        primary.settle().await.expect("nothing to ask");
    }
}
