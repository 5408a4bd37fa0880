//! The lane's open session to its switch: opened when a push needs it, kept for the next one.

use std::time::Duration;

use super::context::Context;
use super::slots::SessionSlot;
use crate::config::Settings;
use crate::domain::{Code, Dialect, Failure, Switch, SwitchName};
use crate::switch::{Credential, SwitchClient, Timeouts};

/// A session that may be open.
pub(super) struct Session {
    switch: SwitchName,
    open: Option<(SwitchClient, SessionSlot)>,
}

impl Session {
    pub fn new(switch: SwitchName) -> Self {
        Self { switch, open: None }
    }

    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// The open client.
    pub fn client(&mut self) -> Option<&mut SwitchClient> {
        self.open.as_mut().map(|(client, _)| client)
    }

    /// Connects and logs in.
    pub async fn open(&mut self, context: &Context) -> Result<&mut SwitchClient, Failure> {
        self.abandon();
        let known = context
            .store
            .switch(&self.switch)
            .await
            .map_err(|error| Failure::new(unknown_or_trouble(&error), format!("{}: {error}", self.switch)))?;
        let opening = connect(&context.settings, &known.switch, known.dialect_found);
        let (client, slot) = context.slots.open(known.circuit.failures > 0, opening).await;
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

fn unknown_or_trouble(error: &crate::store::StoreError) -> Code {
    if error.is_input() { Code::UnknownSwitch } else { Code::DatabaseTrouble }
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
        let text = format!("{} uses the credential `{name}`, which the settings do not have", switch.name);
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
