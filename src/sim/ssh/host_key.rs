//! The host keys of the switches, and the algorithms they speak.

use std::sync::Arc;
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;
use russh::keys::ssh_key::private::{Ed25519Keypair, KeypairData};
use russh::keys::{Algorithm, HashAlg, PrivateKey};
use russh::server::Config;
use russh::{MethodKind, MethodSet, Preferred, SshId, cipher, kex, mac};
use sha2::{Digest, Sha256};

/// A switch's host key. It follows from the seed and the name, so that an inventory outlives a restart.
pub(crate) fn host_key(seed: u64, name: &str) -> PrivateKey {
    let digest = Sha256::new().chain_update(seed.to_be_bytes()).chain_update(name.as_bytes()).finalize();
    let keypair = Ed25519Keypair::from_seed(&digest.into());
    PrivateKey::new(KeypairData::Ed25519(keypair), name).expect("an Ed25519 pair makes a key")
}

/// The RSA key that all old switches of an estate share: one takes a while to make. It follows from the seed.
pub(crate) fn old_host_key(seed: u64) -> PrivateKey {
    let mut rng = StdRng::seed_from_u64(seed);
    PrivateKey::random(&mut rng, Algorithm::Rsa { hash: None }).expect("randomness makes an RSA key")
}

/// `SHA256:...`, as `ssh-keygen -l` prints it.
pub(crate) fn fingerprint(key: &PrivateKey) -> String {
    key.public_key().fingerprint(HashAlg::Sha256).to_string()
}

/// Settings of the SSH server. A rejected login costs no time: this is no place to guess passwords at.
pub(crate) fn config(key: PrivateKey, is_old: bool) -> Arc<Config> {
    Arc::new(Config {
        server_id: SshId::Standard("SSH-2.0-OpenSSH_6.6".into()),
        methods: MethodSet::from([MethodKind::PublicKey, MethodKind::Password].as_slice()),
        auth_rejection_time: Duration::from_millis(5),
        auth_rejection_time_initial: Some(Duration::ZERO),
        keys: vec![key],
        inactivity_timeout: None,
        nodelay: true,
        preferred: if is_old { old_algorithms() } else { Preferred::default() },
        ..Config::default()
    })
}

/// What a hardened Junos 12.3 or 15.1 may be left with.
fn old_algorithms() -> Preferred {
    Preferred {
        kex: vec![kex::DH_G14_SHA1].into(),
        key: vec![Algorithm::Rsa { hash: None }].into(),
        cipher: vec![cipher::AES_256_CBC, cipher::AES_128_CBC].into(),
        mac: vec![mac::HMAC_SHA1].into(),
        ..Preferred::default()
    }
}
