//! Who is logged in: a random number in the browser's cookie, and its hash in the database.
//!
//! It is in the database so that every worker behind a load balancer knows it, and a restart does not end it. The hash is of
//! the number and the token together: who reads the database cannot log in with it, and another token ends every session.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use crate::config::HttpSettings;
use crate::store::{SessionLimits, Store, StoreError};

/// How long the database is asked for a session.
const ASKED_MAX: Duration = Duration::from_secs(2);
/// How long a session counts as open after the database last confirmed it, while the database does not answer.
const SEEN_FOR: Duration = Duration::from_secs(900);
/// Sessions kept at the same time; the one that was not used for longest makes room.
const SESSIONS_MAX: i64 = 1_000;

/// The sessions of the pages.
#[derive(Clone)]
pub(super) struct Sessions {
    store: Store,
    limits: SessionLimits,
    seen: Arc<Mutex<HashMap<String, Instant>>>,
}

impl Sessions {
    pub fn new(store: Store, settings: &HttpSettings) -> Self {
        let limits = SessionLimits {
            idle: Duration::from_millis(settings.session_idle_ms),
            age_max: Duration::from_millis(settings.session_age_max_ms),
            count_max: SESSIONS_MAX,
        };
        Self { store, limits, seen: Arc::default() }
    }

    /// How long one lasts at most.
    pub const fn age_max(&self) -> Duration {
        self.limits.age_max
    }

    /// Begins one for somebody who showed the token, and gives what their cookie is to hold.
    pub async fn open(&self, token: &str) -> Result<String, StoreError> {
        let secret = hex::encode(rand::random::<[u8; 32]>());
        self.store.page_sessions().open(&key(&secret, token), &self.limits).await?;
        Ok(secret)
    }

    /// True while the session of this cookie lasts. `is_use` where a person asks, which keeps it from ending as idle.
    ///
    /// During an outage of the database a session that was open a moment ago still is: an operator on call needs to see what
    /// is wrong, not a login that cannot work.
    pub async fn is_open(&self, secret: &str, token: &str, is_use: bool) -> Result<bool, StoreError> {
        let key = key(secret, token);
        let asked = self.store.page_sessions().is_open(&key, &self.limits, is_use);
        match tokio::time::timeout(ASKED_MAX, asked).await {
            Ok(Ok(is_open)) => {
                self.note(key, is_open);
                Ok(is_open)
            }
            Ok(Err(error)) if !self.was_open(&key) => Err(error),
            Err(_) if !self.was_open(&key) => {
                Err(StoreError::Timeout { what: "find a login", after_ms: ASKED_MAX.as_millis() })
            }
            _ => Ok(true),
        }
    }

    fn note(&self, key: String, is_open: bool) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.retain(|_, at| at.elapsed() < SEEN_FOR);
        match is_open {
            true => seen.insert(key, Instant::now()),
            false => seen.remove(&key),
        };
    }

    fn was_open(&self, key: &str) -> bool {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.get(key).is_some_and(|at| at.elapsed() < SEEN_FOR)
    }

    /// Ends it.
    pub async fn end(&self, secret: &str, token: &str) -> Result<(), StoreError> {
        let key = key(secret, token);
        self.note(key.clone(), false);
        self.store.page_sessions().end(&key).await
    }
}

fn key(secret: &str, token: &str) -> String {
    let hash = Sha256::new_with_prefix("vmacd page session\0").chain_update(secret).chain_update("\0");
    hex::encode(hash.chain_update(token).finalize())
}
