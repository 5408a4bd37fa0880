//! Wrong tokens and signatures: slowed down by client address, counted, and logged.
//!
//! An address may be wrong ten times; after that it gets one answer a second, with a wait of at most ten seconds. A right
//! token never waits, so nobody behind the same proxy is locked out by somebody else's guesses.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::metrics::Metrics;
use crate::web::server::client_address::ClientAddress;
use crate::web::server::connections::ActiveRequest;

/// Time between two answers to wrong ones of one address.
const EVERY: Duration = Duration::from_secs(1);
/// How many are answered at once before that.
const FREE: u32 = 10;
/// Longest wait for an answer.
const WAIT_MAX: Duration = Duration::from_secs(10);
/// Addresses kept apart; all others are one.
const CLIENTS_MAX: usize = 4_096;
/// Time between two lines of the log.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// Where a wrong token or signature was shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::web) enum EntryPoint {
    /// The API, or the metrics.
    Api,
    /// The pages.
    Page,
    /// The hook of this name.
    Hook(String),
}

impl EntryPoint {
    const fn as_str(&self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Page => "page",
            Self::Hook(_) => "hook",
        }
    }
}

/// The wrong ones so far. Cheap to clone.
#[derive(Clone)]
pub(in crate::web) struct WrongCredentials {
    tally: Arc<Mutex<Tally>>,
    metrics: Arc<Metrics>,
}

#[derive(Default)]
struct Tally {
    clients: ClientDelays,
    /// Until when nothing more is logged.
    quiet_until: Option<Instant>,
    /// Since the last line.
    unlogged: u64,
}

impl WrongCredentials {
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self { tally: Arc::default(), metrics }
    }

    /// Counts and logs a wrong one, and returns when it may be answered. Its connection makes room for others in the meantime.
    pub async fn record_and_delay(&self, entry_point: EntryPoint, active_request: Option<&ActiveRequest>) {
        let client = active_request.map_or(ClientAddress::OTHERS, ActiveRequest::client);
        self.metrics.credential_refused(entry_point.as_str());
        self.log(&entry_point, client);
        let wait = self.lock().clients.wait(client, Instant::now());
        if !wait.is_zero() {
            active_request.into_iter().for_each(ActiveRequest::give_way);
            tokio::time::sleep(wait).await;
        }
    }

    /// Writes a line at once, or one for all that come until the next may be written.
    fn log(&self, entry_point: &EntryPoint, client: ClientAddress) {
        let mut tally = self.lock();
        tally.unlogged += 1;
        let now = Instant::now();
        match tally.quiet_until {
            Some(end) if now < end && tally.unlogged > 1 => {}
            Some(end) if now < end => {
                let (wrong_credentials, entry_point) = (self.clone(), entry_point.clone());
                #[expect(clippy::disallowed_methods, reason = "it sleeps, writes one line and ends")]
                tokio::spawn(async move {
                    tokio::time::sleep_until(end).await;
                    wrong_credentials.lock().write(&entry_point, client);
                });
            }
            _ => tally.write(entry_point, client),
        }
    }

    /// Never kept across an await.
    fn lock(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tally {
    fn write(&mut self, entry_point: &EntryPoint, client: ClientAddress) {
        let hook = if let EntryPoint::Hook(name) = entry_point { Some(name.as_str()) } else { None };
        tracing::warn!(door = entry_point.as_str(), hook, address = %client, count = self.unlogged,
            "wrong tokens or signatures were sent; the first one from this address");
        (self.unlogged, self.quiet_until) = (0, Some(Instant::now() + LOG_EVERY));
    }
}

/// By address, when it will have been answered all it asked for at one answer a second.
#[derive(Default)]
struct ClientDelays(HashMap<ClientAddress, Instant>);

impl ClientDelays {
    /// How long the next answer to this address has to wait.
    fn wait(&mut self, client: ClientAddress, now: Instant) -> Duration {
        if self.0.len() >= CLIENTS_MAX {
            self.0.retain(|_, due| *due > now);
        }
        let is_known = self.0.contains_key(&client) || self.0.len() < CLIENTS_MAX;
        let due = self.0.entry(if is_known { client } else { ClientAddress::OTHERS }).or_insert(now);
        let free = now + EVERY * FREE;
        *due = ((*due).max(now) + EVERY).min(free + WAIT_MAX);
        due.saturating_duration_since(free)
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn client(number: u32) -> ClientAddress {
        IpAddr::from(number.to_be_bytes()).into()
    }

    #[test]
    fn an_address_that_is_wrong_often_waits_and_another_does_not() {
        let (mut clients, now) = (ClientDelays::default(), Instant::now());
        let mut waits = |number, count: usize, at| (0..count).map(|_| clients.wait(client(number), at)).last();
        assert_eq!(waits(1, 10, now), Some(Duration::ZERO));
        assert_eq!(waits(1, 3, now), Some(Duration::from_secs(3)));
        assert_eq!(waits(2, 1, now), Some(Duration::ZERO));
        assert_eq!(waits(1, 1_000, now), Some(WAIT_MAX));
        let later = now + Duration::from_secs(12);
        assert_eq!(waits(1, 1, later), Some(Duration::ZERO), "it is forgiven with time");
        assert_eq!(waits(1, 2, later), Some(Duration::from_secs(1)));
    }

    #[test]
    fn memory_is_bounded_and_quiet_addresses_are_forgotten() {
        let (mut clients, now) = (ClientDelays::default(), Instant::now());
        for number in 0..20_000 {
            clients.wait(client(number), now);
        }
        assert!(clients.0.len() <= CLIENTS_MAX + 1, "{}", clients.0.len());
        assert_eq!(clients.wait(client(30_000), now), WAIT_MAX, "those beyond are one");
        assert_eq!(clients.wait(client(30_000), now + Duration::from_secs(60)), Duration::ZERO);
        assert_eq!(clients.0.len(), 1);
    }
}
