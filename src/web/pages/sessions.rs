//! Who is logged in: a random number in the browser's cookie, and its hash in the database.
//!
//! It is in the database so that every worker behind a load balancer knows it, and a restart does not end it. Who
//! reads the database cannot log in with the hash.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use crate::config::HttpSettings;
use crate::store::{SessionLimits, Store, StoreError, TokenSecret};
use crate::web::access::caller::{Caller, Credentials};
use crate::web::server::connections::ActiveRequest;

/// How long the database is asked for a session.
const ASKED_MAX: Duration = Duration::from_secs(2);
/// How long a session counts as open after the database last confirmed it, while the database does not answer.
const SEEN_FOR: Duration = Duration::from_secs(900);
/// Sessions kept at the same time; the one that was not used for longest makes room.
const SESSIONS_MAX: i64 = 1_000;

/// What the cookie of a session with a named token begins with.
const OF_TOKEN: &str = "token-";

/// The sessions of the pages.
#[derive(Clone)]
pub(super) struct Sessions {
    store: Store,
    limits: SessionLimits,
    seen: Arc<Mutex<HashMap<String, (Instant, Caller)>>>,
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

    /// Begins one for whoever showed the token of the settings, and gives what their cookie is to hold.
    pub async fn open_for_first_admin(&self, first: &str) -> Result<String, StoreError> {
        let secret = hex::encode(rand::random::<[u8; 32]>());
        self.store.page_sessions().open(&key(&secret, first), None, &self.limits).await?;
        Ok(secret)
    }

    /// The same for whoever showed a token with a name; none where it is not accepted.
    pub async fn open_for_token(
        &self,
        shown: &str,
        active_request: Option<&ActiveRequest>,
    ) -> Result<Option<String>, StoreError> {
        let from = active_request.map(|active| active.client().to_string()).unwrap_or_default();
        let Some(token) = self.store.tokens().shown(&TokenSecret::shown(shown), &from).await? else { return Ok(None) };
        let secret = format!("{OF_TOKEN}{}", hex::encode(rand::random::<[u8; 32]>()));
        self.store.page_sessions().open(&key(&secret, ""), Some(token.name.as_str()), &self.limits).await?;
        Ok(Some(secret))
    }

    /// Who the session of this cookie is of, while it lasts. `is_use` where a person asks, which keeps it from ending as idle.
    ///
    /// During an outage of the database a session that was open a moment ago still is: an operator on call needs to see what
    /// is wrong, not a login that cannot work.
    pub async fn caller(
        &self,
        secret: &str,
        first: &str,
        credentials: &Credentials,
        is_use: bool,
    ) -> Result<Option<Caller>, StoreError> {
        let key = key(secret, first);
        match tokio::time::timeout(ASKED_MAX, self.look(&key, credentials, is_use)).await {
            Ok(Ok(found)) => {
                self.note(key, found.clone());
                Ok(found)
            }
            failed => match (self.seen_before(&key), failed) {
                (Some(caller), _) => Ok(Some(caller)),
                (None, Ok(result)) => result,
                (None, Err(_)) => Err(StoreError::Timeout { what: "find a login", after_ms: ASKED_MAX.as_millis() }),
            },
        }
    }

    async fn look(&self, key: &str, credentials: &Credentials, is_use: bool) -> Result<Option<Caller>, StoreError> {
        let Some(session) = self.store.page_sessions().find(key, &self.limits, is_use).await? else { return Ok(None) };
        let Some(name) = session.token_name else { return Ok(Some(credentials.as_first_admin().logged_in())) };
        let token = self.store.tokens().named(&name, &credentials.address).await?;
        Ok(token.map(|token| credentials.as_token(&token).logged_in()))
    }

    fn note(&self, key: String, caller: Option<Caller>) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.retain(|_, (at, _)| at.elapsed() < SEEN_FOR);
        match caller {
            Some(caller) => seen.insert(key, (Instant::now(), caller)),
            None => seen.remove(&key),
        };
    }

    fn seen_before(&self, key: &str) -> Option<Caller> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.get(key).filter(|(at, _)| at.elapsed() < SEEN_FOR).map(|(_, caller)| caller.clone())
    }

    /// Ends it.
    pub async fn end(&self, secret: &str, first: &str) -> Result<(), StoreError> {
        let key = key(secret, first);
        self.note(key.clone(), None);
        self.store.page_sessions().end(&key).await
    }
}

/// What the database holds of a session. With the token of the settings in it, another one there ends the session; a session of a
/// token with a name ends with that.
fn key(secret: &str, first: &str) -> String {
    let first = if secret.starts_with(OF_TOKEN) { "" } else { first };
    let hash = Sha256::new_with_prefix("vmacd page session\0").chain_update(secret).chain_update("\0");
    hex::encode(hash.chain_update(first).finalize())
}
