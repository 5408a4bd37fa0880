//! Who is logged in: a random number in the browser's cookie, and its hash in the database.
//!
//! It is in the database so that every worker behind a load balancer knows it, and a restart does not end it. The hash is of
//! the number and the token together: who reads the database cannot log in with it, and another token ends every session.

use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::config::HttpSettings;
use crate::store::{SessionLimits, Store, StoreError};

/// Sessions kept at the same time; the one that was not used for longest makes room.
const SESSIONS_MAX: i64 = 1_000;

/// The sessions of the pages.
#[derive(Clone)]
pub(super) struct Sessions {
    store: Store,
    limits: SessionLimits,
}

impl Sessions {
    pub fn new(store: Store, settings: &HttpSettings) -> Self {
        let limits = SessionLimits {
            idle: Duration::from_millis(settings.session_idle_ms),
            age_max: Duration::from_millis(settings.session_age_max_ms),
            count_max: SESSIONS_MAX,
        };
        Self { store, limits }
    }

    /// How long one lasts at most.
    pub const fn age_max(&self) -> Duration {
        self.limits.age_max
    }

    /// Begins one for somebody who showed the token, and gives what their cookie is to hold.
    pub async fn open(&self, token: &str) -> Result<String, StoreError> {
        let secret = hex::encode(rand::random::<[u8; 32]>());
        self.store.open_page_session(&key(&secret, token), &self.limits).await?;
        Ok(secret)
    }

    /// True while the session of this cookie lasts. `is_use` where a person asks, which keeps it from ending as idle.
    pub async fn is_open(&self, secret: &str, token: &str, is_use: bool) -> Result<bool, StoreError> {
        self.store.has_page_session(&key(secret, token), &self.limits, is_use).await
    }

    /// Ends it.
    pub async fn end(&self, secret: &str, token: &str) -> Result<(), StoreError> {
        self.store.end_page_session(&key(secret, token)).await
    }
}

fn key(secret: &str, token: &str) -> String {
    let hash = Sha256::new_with_prefix("vmacd page session\0").chain_update(secret).chain_update("\0");
    hex::encode(hash.chain_update(token).finalize())
}
