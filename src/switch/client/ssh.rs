//! SSH to a switch: with `ssh_channel` the only place that knows russh's client.
//!
//! The host key is checked against the pinned one before any credential is sent. The NETCONF subsystem
//! (RFC 6242 section 3) is asked for first; where it is refused, the commands that Juniper's own clients
//! use (`xml-mode netconf need-trailer`, and `junoscript netconf need-trailer` on old releases).

use std::any::Any;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use russh::client::{self, AuthResult, Handle};
use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use russh::keys::{Algorithm, HashAlg, PrivateKeyWithHashAlg, PublicKeyOrCertificate, load_secret_key};
use russh::{Preferred, cipher, kex, mac};
use tokio::net::{TcpStream, lookup_host};

use super::host_shortage::{is_host_shortage, is_lookup_shortage};
use super::ssh_channel::{Request, SshChannel};
use crate::domain::{SshProfile, Switch};
use crate::switch::error::SwitchError;

/// A login. Never prints its secrets.
#[derive(Clone, Default)]
pub struct Credential {
    /// User.
    pub user: String,
    /// Password.
    pub password: Option<String>,
    /// Private key file.
    pub key_file: Option<PathBuf>,
    /// Passphrase of the key file.
    pub key_passphrase: Option<String>,
    /// Ask the agent at `SSH_AUTH_SOCK`.
    pub agent: bool,
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credential").field("user", &self.user).finish_non_exhaustive()
    }
}

/// The stream of a NETCONF channel; the session ends when it is dropped.
pub(super) struct Connection {
    pub stream: SshChannel,
    /// Keeps the connection open.
    pub guard: Box<dyn Any + Send + Sync>,
}

/// Remembers the host key that was shown, and takes only the pinned one, or any when none is asked for.
struct HostKey {
    pinned: Option<String>,
    shown: Arc<Mutex<Option<String>>>,
}

impl client::Handler for HostKey {
    type Error = russh::Error;

    async fn check_server_key(&mut self, key: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        let fingerprint = match key {
            PublicKeyOrCertificate::PublicKey { key, .. } => key.fingerprint(HashAlg::Sha256),
            PublicKeyOrCertificate::Certificate(certificate) => certificate.public_key().fingerprint(HashAlg::Sha256),
        };
        let fingerprint = fingerprint.to_string();
        let taken = self.pinned.as_ref().is_none_or(|pinned| *pinned == fingerprint);
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = Some(fingerprint);
        Ok(taken)
    }
}

/// Asks a switch for its host key, `SHA256:...`, without logging in.
///
/// # Errors
/// [`SwitchError::Unreachable`].
pub async fn fetch_host_key(switch: &Switch, timeout: Duration) -> Result<String, SwitchError> {
    let shown = Arc::new(Mutex::new(None));
    let host_key = HostKey { pinned: None, shown: shown.clone() };
    let result = bounded(switch, timeout, greet(switch, host_key)).await;
    let seen = shown.lock().unwrap_or_else(PoisonError::into_inner).clone();
    match (seen, result) {
        (Some(fingerprint), _) => Ok(fingerprint),
        (None, Err(error)) => Err(error),
        (None, Ok(_)) => Err(unreachable(switch, "it showed no host key")),
    }
}

/// Connects, checks the host key, logs in and opens NETCONF.
///
/// # Errors
/// [`SwitchError`], by what went wrong.
pub(super) async fn connect(
    switch: &Switch,
    credential: &Credential,
    timeout: Duration,
) -> Result<Connection, SwitchError> {
    let Some(pinned) = switch.host_key.clone() else {
        return Err(SwitchError::HostKeyMissing { switch: switch.name.to_string() });
    };
    let shown = Arc::new(Mutex::new(None));
    let host_key = HostKey { pinned: Some(pinned.clone()), shown: shown.clone() };
    let result = bounded(switch, timeout, async {
        let mut handle = greet(switch, host_key).await?;
        log_in(&mut handle, switch, credential).await?;
        let channel = open_netconf(&handle, switch).await?;
        Ok(Connection { stream: channel, guard: Box::new(handle) })
    })
    .await;
    let seen = shown.lock().unwrap_or_else(PoisonError::into_inner).clone();
    match seen {
        Some(shown) if shown != pinned => {
            Err(SwitchError::HostKeyChanged { switch: switch.name.to_string(), pinned, shown })
        }
        _ => result,
    }
}

async fn bounded<T>(
    switch: &Switch,
    timeout: Duration,
    work: impl Future<Output = Result<T, SwitchError>>,
) -> Result<T, SwitchError> {
    match tokio::time::timeout(timeout, work).await {
        Ok(result) => result,
        Err(_) => Err(unreachable(switch, &format!("no session within {} ms", timeout.as_millis()))),
    }
}

fn unreachable(switch: &Switch, problem: &str) -> SwitchError {
    let problem = format!("{}:{}: {problem}", switch.host, switch.port);
    SwitchError::Unreachable { switch: switch.name.to_string(), problem }
}

/// What kept a connection, a file or a name from being opened: this host, or else what `otherwise` says.
fn local_or(switch: &Switch, error: &std::io::Error, otherwise: SwitchError) -> SwitchError {
    match is_host_shortage(error) {
        true => SwitchError::HostShort { switch: switch.name.to_string(), problem: error.to_string() },
        false => otherwise,
    }
}

/// Looks the switch's name up, where it is one, and connects.
async fn connect_tcp(switch: &Switch) -> Result<TcpStream, SwitchError> {
    let addresses = match lookup_host((switch.host.as_str(), switch.port)).await {
        Ok(addresses) => addresses.collect::<Vec<_>>(),
        Err(error) if is_lookup_shortage(&error) => {
            return Err(SwitchError::HostShort { switch: switch.name.to_string(), problem: error.to_string() });
        }
        Err(error) => return Err(unreachable(switch, &error.to_string())),
    };
    let stream = TcpStream::connect(addresses.as_slice()).await;
    let stream = stream.map_err(|error| local_or(switch, &error, unreachable(switch, &error.to_string())))?;
    // Without it a request of many small writes waits for acknowledgements in between; it works all the same.
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

/// Connects, and exchanges keys.
async fn greet(switch: &Switch, host_key: HostKey) -> Result<Handle<HostKey>, SwitchError> {
    let stream = connect_tcp(switch).await?;
    let config = client::Config {
        keepalive_interval: Some(Duration::from_secs(15)),
        keepalive_max: 4,
        preferred: preferred(switch.ssh_profile),
        ..client::Config::default()
    };
    client::connect_stream(Arc::new(config), stream, host_key).await.map_err(|error| match &error {
        russh::Error::NoCommonAlgo { .. } if switch.ssh_profile != SshProfile::Legacy => unreachable(
            switch,
            &format!("{error}; Junos 12.3 and 15.1 may need `ssh_profile = \"legacy\"` in the inventory"),
        ),
        _ => unreachable(switch, &error.to_string()),
    })
}

/// The algorithms to offer. Legacy adds what Junos 12.3 and 15.1 speak, behind the current ones (JNPR 12.3
/// "hostkey-algorithm", 13.1 "key-exchange").
fn preferred(profile: SshProfile) -> Preferred {
    let mut offer = Preferred::default();
    // Not among russh's defaults; what Junos has had since 11.2 (JNPR 13.1 "key-exchange").
    offer.kex.to_mut().extend([kex::ECDH_SHA2_NISTP256, kex::ECDH_SHA2_NISTP384, kex::ECDH_SHA2_NISTP521]);
    offer.key.to_mut().retain(|algorithm| *algorithm != Algorithm::Rsa { hash: None });
    if profile == SshProfile::Legacy {
        offer.kex.to_mut().extend([kex::DH_GEX_SHA256, kex::DH_GEX_SHA1, kex::DH_G14_SHA1]);
        offer.cipher.to_mut().extend([cipher::AES_256_CBC, cipher::AES_192_CBC, cipher::AES_128_CBC]);
        offer.mac.to_mut().extend([mac::HMAC_SHA1]);
        offer.key.to_mut().push(Algorithm::Rsa { hash: None });
    }
    offer
}

async fn log_in(handle: &mut Handle<HostKey>, switch: &Switch, credential: &Credential) -> Result<(), SwitchError> {
    let lost = |error: russh::Error| unreachable(switch, &error.to_string());
    if let Some(file) = &credential.key_file {
        let key = load_secret_key(file, credential.key_passphrase.as_deref())
            .map_err(|error| key_fault(switch, &format!("key file {}", file.display()), error))?;
        let key = Arc::new(key);
        for hash in signature_hashes(handle, switch, key.algorithm().is_rsa()).await {
            let signer = PrivateKeyWithHashAlg::new(key.clone(), hash);
            if handle.authenticate_publickey(&credential.user, signer).await.map_err(lost)?.success() {
                return Ok(());
            }
        }
    }
    if credential.agent && ask_agent(handle, switch, credential).await?.success() {
        return Ok(());
    }
    if let Some(password) = &credential.password
        && handle.authenticate_password(&credential.user, password).await.map_err(lost)?.success()
    {
        return Ok(());
    }
    let name = switch.credential.in_words();
    let (switch, user) = (switch.name.to_string(), credential.user.clone());
    if credential.key_file.is_none() && !credential.agent && credential.password.is_none() {
        return Err(SwitchError::Credential {
            switch,
            problem: format!("{name} has neither password, key file nor agent"),
        });
    }
    Err(SwitchError::LoginRefused { switch, user })
}

/// The hashes to sign with, one after another: what the server lists first, because OpenSSH lists more than it may be
/// set to take (RFC 8308 section 3.1). `None` is `ssh-rsa` with SHA-1, for the legacy profile alone.
async fn signature_hashes(handle: &Handle<HostKey>, switch: &Switch, is_rsa: bool) -> Vec<Option<HashAlg>> {
    if !is_rsa {
        return vec![None];
    }
    let is_legacy = switch.ssh_profile == SshProfile::Legacy;
    let listed = handle.best_supported_rsa_hash().await.ok().flatten();
    let mut hashes = match listed {
        None | Some(None) if is_legacy => vec![None],
        None | Some(None) => vec![Some(HashAlg::Sha512), Some(HashAlg::Sha256)],
        Some(best) => vec![best, Some(HashAlg::Sha512), Some(HashAlg::Sha256)],
    };
    hashes.extend(is_legacy.then_some(None));
    let mut seen = Vec::new();
    hashes.retain(|hash| {
        !seen.contains(hash) && {
            seen.push(*hash);
            true
        }
    });
    hashes
}

/// A key that cannot be read or asked for, unless it is this host that lacks the descriptor for it.
fn key_fault(switch: &Switch, what: &str, error: russh::keys::Error) -> SwitchError {
    let fault = credential_fault(switch, format!("{what}: {error}"));
    match &error {
        russh::keys::Error::IO(error) => local_or(switch, error, fault),
        _ => fault,
    }
}

fn credential_fault(switch: &Switch, problem: String) -> SwitchError {
    SwitchError::Credential { switch: switch.name.to_string(), problem }
}

async fn ask_agent(
    handle: &mut Handle<HostKey>,
    switch: &Switch,
    credential: &Credential,
) -> Result<AuthResult, SwitchError> {
    let at_fault = |error: russh::keys::Error| key_fault(switch, "SSH agent", error);
    let mut agent = AgentClient::connect_env().await.map_err(at_fault)?;
    let identities = agent.request_identities().await.map_err(at_fault)?;
    let mut result = AuthResult::Failure { remaining_methods: russh::MethodSet::empty(), partial_success: false };
    for identity in identities {
        let AgentIdentity::PublicKey { key, .. } = identity else { continue };
        let hash = signature_hashes(handle, switch, key.algorithm().is_rsa()).await.first().copied().flatten();
        result = handle
            .authenticate_publickey_with(&credential.user, key, hash, &mut agent)
            .await
            .map_err(|error| credential_fault(switch, format!("SSH agent: {error}")))?;
        if result.success() {
            break;
        }
    }
    Ok(result)
}

async fn open_netconf(handle: &Handle<HostKey>, switch: &Switch) -> Result<SshChannel, SwitchError> {
    for request in [
        Request::Subsystem("netconf"),
        Request::Command("xml-mode netconf need-trailer"),
        Request::Command("junoscript netconf need-trailer"),
    ] {
        let opened = SshChannel::open(handle, request).await;
        if let Some(channel) = opened.map_err(|error| unreachable(switch, &error.to_string()))? {
            return Ok(channel);
        }
    }
    let problem = "offered neither as a subsystem nor as a command; is `system services netconf ssh` set?".to_owned();
    Err(SwitchError::NoNetconf { switch: switch.name.to_string(), problem })
}
#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Code;

    fn switch() -> Switch {
        serde_json::from_value(serde_json::json!({"name": "sw-1", "host": "127.0.0.1"})).expect("a switch")
    }

    #[test]
    fn a_key_that_no_descriptor_is_left_for_is_not_called_missing() {
        for (errno, expected) in [(24, Code::WorkerTrouble), (23, Code::WorkerTrouble), (2, Code::CredentialMissing)] {
            let error = russh::keys::Error::IO(std::io::Error::from_raw_os_error(errno));
            assert_eq!(key_fault(&switch(), "key file k", error).failure().code, expected, "{errno}");
        }
    }
}
