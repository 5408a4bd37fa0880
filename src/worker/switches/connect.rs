//! Connecting and logging in as the settings say.

use std::time::Duration;

use crate::config::Settings;
use crate::domain::{Code, Dialect, Failure, Switch};
use crate::switch::{Credential, SwitchClient, Timeouts};

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
