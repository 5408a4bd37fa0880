//! Sessions to switches: opened when a push needs one, kept for the next one while they are idle.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::config::Settings;
use crate::domain::{Code, Dialect, Failure, Switch, SwitchName};
use crate::store::KnownSwitch;
use crate::switch::{Credential, SwitchClient, SwitchError, Timeouts};
use crate::worker::context::Context;
use crate::worker::lanes::slots::SessionSlot;
use crate::worker::push::ahead;
use crate::worker::supervision::task_health::Beat;

/// A session that may be open.
pub(in crate::worker) struct Session {
    switch: SwitchName,
    open: Option<Open>,
    /// Rows that it bound something for, and of which nobody asked yet whether that is in force.
    pub unasked: BTreeSet<i64>,
}

/// An open session.
struct Open {
    client: SwitchClient,
    /// As the inventory had it when the session was opened.
    switch: Switch,
    _slot: SessionSlot,
}

impl Session {
    fn new(switch: SwitchName) -> Self {
        Self { switch, open: None, unasked: BTreeSet::new() }
    }

    /// The open client.
    pub fn client(&mut self) -> Option<&mut SwitchClient> {
        self.open.as_mut().map(|open| &mut open.client)
    }

    /// Connects and logs in.
    pub async fn open(&mut self, context: &Context, known: &KnownSwitch) -> Result<&mut SwitchClient, Failure> {
        self.abandon();
        let opening = connect(&context.settings, &known.switch, known.dialect_found);
        let (client, slot) = context.slots.open(known.trouble.is_some(), opening).await;
        let mut client = client?;
        client.start_duplicates(&known.switch, known.duplicates_found);
        self.remember(context, known.dialect_found, client.dialect()).await;
        let switch = known.switch.clone();
        Ok(&mut self.open.insert(Open { client, switch, _slot: slot }).client)
    }

    /// Saves the next session the question. That it cannot be written down costs nothing but asking again.
    async fn remember(&self, context: &Context, known: Option<Dialect>, found: Dialect) {
        if known != Some(found)
            && let Err(error) = context.store.set_dialect_found(&self.switch, found).await
        {
            tracing::warn!(switch = %self.switch, error = crate::worker::chain(&error), "the dialect is not remembered");
        }
    }

    /// Reads what the switch holds, where a session is open and that is not known.
    pub async fn look_ahead(&mut self, context: &Context) -> Result<(), SwitchError> {
        let Some(Open { client, switch, .. }) = &mut self.open else { return Ok(()) };
        if context.memory.knows(switch) {
            return Ok(());
        }
        ahead::look(context, client, switch).await
    }

    /// Keeps what the switch showed of its rule of duplicates. Where that cannot be written down it is shown again.
    pub async fn remember_duplicates(&mut self, context: &Context) {
        let Some(rule) = self.client().and_then(SwitchClient::duplicates_found) else { return };
        if let Err(error) = context.store.set_duplicates_found(&self.switch, rule).await {
            tracing::warn!(switch = %self.switch, error = crate::worker::chain(&error), "the rule of duplicates is not remembered");
        }
    }

    /// Forgets a session that can no longer be used; the switch discards what it had not committed.
    pub fn abandon(&mut self) {
        self.open = None;
    }

    /// Closes the session in order.
    pub async fn close(&mut self) {
        if let Some(Open { client, _slot, .. }) = self.open.take() {
            client.close().await;
        }
    }
}

/// The sessions that no push uses now.
#[derive(Default)]
pub(in crate::worker) struct IdleSessions {
    idle: Mutex<HashMap<SwitchName, (Session, Instant)>>,
    /// Those that are lent out to be put back soon; each ends with its loan.
    lent: Mutex<HashMap<SwitchName, watch::Receiver<()>>>,
}

/// A session is lent out while this lives: whoever wants it waits for it.
pub(in crate::worker) struct Loan(#[expect(dead_code, reason = "its end is what it tells")] watch::Sender<()>);

impl IdleSessions {
    /// Tells that the switch's session comes back once the loan has ended.
    pub fn lend(&self, switch: &SwitchName) -> Loan {
        let (loan, end) = watch::channel(());
        self.lent().insert(switch.clone(), end);
        Loan(loan)
    }

    /// The switch's session, which may have to be opened. One that is lent out is waited for.
    pub async fn take(&self, switch: &SwitchName) -> Session {
        let lent = self.lent().remove(switch);
        if let Some(mut lent) = lent {
            // It never changes: this is an error once the loan has ended.
            let _ = lent.changed().await;
        }
        let idle = self.idle().remove(switch);
        idle.map_or_else(|| Session::new(switch.clone()), |(session, _)| session)
    }

    /// Whether somebody waits for the session that is lent out.
    pub fn is_wanted(&self, switch: &SwitchName) -> bool {
        !self.lent().contains_key(switch)
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
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lent(&self) -> MutexGuard<'_, HashMap<SwitchName, watch::Receiver<()>>> {
        self.lent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes sessions that are idle for too long, and one when another is wanted that may not be opened, until the worker
/// stops.
pub(in crate::worker) async fn close_idle(context: Arc<Context>, beat: Beat) {
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
pub(in crate::worker) async fn close_all_idle(context: &Context) {
    close_all(context.idle_sessions.older_than(Duration::ZERO)).await;
}

async fn close_all(sessions: impl IntoIterator<Item = Session>) {
    let closing = sessions.into_iter().map(|mut session| async move { session.close().await });
    futures_util::future::join_all(closing).await;
}

/// Connects and logs in as the settings say.
pub(in crate::worker) async fn connect(
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
