//! Sessions to switches: opened when a push needs one, kept for the next one while they are idle.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::context::Context;
use super::slots::SessionSlot;
use super::task_health::Beat;
use crate::config::Settings;
use crate::domain::{Code, Dialect, Failure, Switch, SwitchName};
use crate::store::KnownSwitch;
use crate::switch::{Credential, SwitchClient, Timeouts};

/// A session that may be open.
pub(super) struct Session {
    switch: SwitchName,
    open: Option<(SwitchClient, SessionSlot)>,
}

impl Session {
    fn new(switch: SwitchName) -> Self {
        Self { switch, open: None }
    }

    /// The open client.
    pub fn client(&mut self) -> Option<&mut SwitchClient> {
        self.open.as_mut().map(|(client, _)| client)
    }

    /// Connects and logs in.
    pub async fn open(&mut self, context: &Context, known: &KnownSwitch) -> Result<&mut SwitchClient, Failure> {
        self.abandon();
        let opening = connect(&context.settings, &known.switch, known.dialect_found);
        let (client, slot) = context.slots.open(known.trouble.is_some(), opening).await;
        let client = client?;
        self.remember(context, known.dialect_found, client.dialect()).await;
        Ok(&mut self.open.insert((client, slot)).0)
    }

    /// Saves the next session the question. That it cannot be written down costs nothing but asking again.
    async fn remember(&self, context: &Context, known: Option<Dialect>, found: Dialect) {
        if known != Some(found)
            && let Err(error) = context.store.set_dialect_found(&self.switch, found).await
        {
            tracing::warn!(switch = %self.switch, error = super::chain(&error), "the dialect is not remembered");
        }
    }

    /// Forgets a session that can no longer be used; the switch discards what it had not committed.
    pub fn abandon(&mut self) {
        self.open = None;
    }

    /// Closes the session in order.
    pub async fn close(&mut self) {
        if let Some((client, _slot)) = self.open.take() {
            client.close().await;
        }
    }
}

/// The sessions that no push uses now.
#[derive(Default)]
pub(super) struct IdleSessions(Mutex<HashMap<SwitchName, (Session, Instant)>>);

impl IdleSessions {
    /// The switch's session, which may have to be opened.
    pub fn take(&self, switch: &SwitchName) -> Session {
        let idle = self.idle().remove(switch);
        idle.map_or_else(|| Session::new(switch.clone()), |(session, _)| session)
    }

    /// Keeps a session for the next push.
    pub fn put_back(&self, session: Session) {
        if session.open.is_some() {
            self.idle().insert(session.switch.clone(), (session, Instant::now()));
        }
    }

    /// Takes those out that have been idle for so long.
    fn older_than(&self, age: Duration) -> Vec<Session> {
        let mut idle = self.idle();
        let old = idle.iter().filter(|(_, (_, since))| since.elapsed() >= age).map(|(switch, _)| switch.clone());
        let old: Vec<SwitchName> = old.collect();
        old.iter().filter_map(|switch| idle.remove(switch)).map(|(session, _)| session).collect()
    }

    /// Takes the one out that has been idle for longest.
    fn oldest(&self) -> Option<Session> {
        let mut idle = self.idle();
        let oldest = idle.iter().min_by_key(|(_, (_, since))| *since).map(|(switch, _)| switch.clone())?;
        idle.remove(&oldest).map(|(session, _)| session)
    }

    fn idle(&self) -> MutexGuard<'_, HashMap<SwitchName, (Session, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes sessions that are idle for too long, and one when another is wanted that may not be opened, until the worker
/// stops.
pub(super) async fn close_idle(context: Arc<Context>, beat: Beat) {
    let age = Duration::from_millis(context.settings.ssh.session_idle_ms);
    let look = (age / 4).clamp(Duration::from_millis(50), Duration::from_secs(5));
    loop {
        beat.now();
        tokio::select! {
            () = context.stopping.cancelled() => break,
            () = context.slots.session_wanted() => close_all(context.idle_sessions.oldest()).await,
            () = tokio::time::sleep(look) => close_all(context.idle_sessions.older_than(age)).await,
        }
    }
}

/// Closes every idle session in order.
pub(super) async fn close_all_idle(context: &Context) {
    close_all(context.idle_sessions.older_than(Duration::ZERO)).await;
}

async fn close_all(sessions: impl IntoIterator<Item = Session>) {
    let closing = sessions.into_iter().map(|mut session| async move { session.close().await });
    futures_util::future::join_all(closing).await;
}

/// Connects and logs in as the settings say.
pub(super) async fn connect(
    settings: &Settings,
    switch: &Switch,
    dialect: Option<Dialect>,
) -> Result<SwitchClient, Failure> {
    let login = credential(settings, switch)?;
    SwitchClient::connect(switch, dialect, &login, &timeouts(settings)).await.map_err(|error| error.failure())
}

/// The login for a switch.
///
/// # Errors
/// [`Code::CredentialMissing`] when the settings lack the credential that the inventory names.
pub fn credential(settings: &Settings, switch: &Switch) -> Result<Credential, Failure> {
    let name = &switch.credential.0;
    let Some(found) = settings.credential(name) else {
        let text = format!("{} uses the credential `{name}`, which is not in the settings file", switch.name);
        return Err(Failure::new(Code::CredentialMissing, text));
    };
    Ok(Credential {
        user: found.user,
        password: (!found.password.is_empty()).then(|| found.password.reveal().to_owned()),
        key_file: (!found.key_file.as_os_str().is_empty()).then_some(found.key_file),
        key_passphrase: (!found.key_passphrase.is_empty()).then(|| found.key_passphrase.reveal().to_owned()),
        agent: found.agent,
    })
}

/// The time limits of the settings.
pub fn timeouts(settings: &Settings) -> Timeouts {
    let ssh = &settings.ssh;
    Timeouts {
        connect: Duration::from_millis(ssh.connect_timeout_ms),
        rpc: Duration::from_millis(ssh.rpc_timeout_ms),
        commit: Duration::from_millis(ssh.commit_timeout_ms),
    }
}
