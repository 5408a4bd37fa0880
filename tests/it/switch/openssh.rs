//! Old switches speak old SSH. OpenSSH's own server, restricted to what Junos 12.3 and 15.1 speak, stands for them.

use vmacd::domain::{Code, SshProfile, Switch};
use vmacd::sim::Options;
use vmacd::switch::{Credential, PushOptions, SwitchClient, SwitchError, push};

use super::bench::{Bench, Notes, timeouts, whole};
use crate::support::sshd::{Offer, Sshd};

const OLDEST: Offer = Offer {
    kex: "diffie-hellman-group14-sha1",
    cipher: "aes128-cbc",
    mac: "hmac-sha1",
    host_key: "ssh-rsa",
    subsystem: true,
};

const MODERN: Offer = Offer {
    kex: "curve25519-sha256",
    cipher: "aes256-ctr",
    mac: "hmac-sha2-256",
    host_key: "ssh-ed25519",
    subsystem: true,
};

/// Connects through the server with that profile.
async fn connect(bench: &Bench, sshd: &Sshd, ssh_profile: SshProfile) -> Result<SwitchClient, SwitchError> {
    let switch = Switch { port: sshd.port, host_key: Some(sshd.fingerprint()), ssh_profile, ..bench.switch.clone() };
    let login = Credential { user: Sshd::user(), key_file: Some(sshd.client_key()), ..Credential::default() };
    SwitchClient::connect(&switch, None, &login, &timeouts()).await
}

/// Pushes one address through the server.
async fn pushes(offer: Offer, ssh_profile: SshProfile) {
    let bench = Bench::non_els().await;
    let sshd = Sshd::start(bench.sim(), offer).await;
    let mut client = match connect(&bench, &sshd, ssh_profile).await {
        Ok(client) => client,
        Err(error) => panic!("{offer:?}: {error}\n{}", sshd.log()),
    };
    let wishes = vec![bench.create(0, 1)];
    let report = push(&mut client, &mut Notes::of(wishes.clone()), &PushOptions { confirm_timeout_min: 5 }).await;
    assert_eq!(whole(&report), None, "{offer:?}: {report:?}\n{}", sshd.log());
    assert_eq!(bench.extra(), Bench::bound(&wishes), "{offer:?}");
    client.close().await;
}

#[tokio::test]
async fn the_legacy_profile_speaks_every_algorithm_of_old_switches() {
    for kex in [
        "diffie-hellman-group14-sha1",
        "diffie-hellman-group-exchange-sha1",
        "diffie-hellman-group-exchange-sha256",
        "ecdh-sha2-nistp256",
    ] {
        pushes(Offer { kex, ..OLDEST }, SshProfile::Legacy).await;
    }
    for cipher in ["aes128-cbc", "aes192-cbc", "aes256-cbc", "aes128-ctr"] {
        pushes(Offer { cipher, ..OLDEST }, SshProfile::Legacy).await;
    }
}

#[tokio::test]
async fn the_simulated_switch_can_be_an_old_one() {
    let bench = Bench::with(Options { legacy_ssh: true, ..Options::default() }).await;
    let error = bench.try_client().await.map(|_| ()).expect_err("refused");
    assert!(error.to_string().contains("ssh_profile = \"legacy\""), "{error}");
    let switch = Switch { ssh_profile: SshProfile::Legacy, ..bench.switch.clone() };
    let login = super::bench::credential("vmacd", "vmacd");
    let mut client = SwitchClient::connect(&switch, None, &login, &timeouts()).await.expect("a session");
    let mut notes = Notes::of(vec![bench.create(0, 1)]);
    let report = push(&mut client, &mut notes, &PushOptions { confirm_timeout_min: 5 }).await;
    assert_eq!((whole(&report), bench.extra().len()), (None, 1));
}

#[tokio::test]
async fn the_legacy_profile_speaks_to_new_switches_too() {
    pushes(MODERN, SshProfile::Legacy).await;
}

#[tokio::test]
async fn the_default_profile_offers_none_of_it_and_says_what_to_set() {
    let bench = Bench::non_els().await;
    let old = [
        OLDEST,
        Offer { kex: "diffie-hellman-group14-sha1", ..MODERN },
        Offer { kex: "diffie-hellman-group-exchange-sha1", ..MODERN },
        Offer { cipher: "aes256-cbc", ..MODERN },
        Offer { mac: "hmac-sha1", ..MODERN },
        Offer { host_key: "ssh-rsa", ..MODERN },
    ];
    for offer in old {
        let sshd = Sshd::start(bench.sim(), offer).await;
        let error = connect(&bench, &sshd, SshProfile::Modern).await.map(|_| ()).expect_err("refused");
        assert_eq!(error.failure().code, Code::Unreachable, "{offer:?}");
        assert!(error.to_string().contains("ssh_profile = \"legacy\""), "{offer:?}: {error}");
    }
}

#[tokio::test]
async fn the_default_profile_speaks_to_openssh() {
    pushes(MODERN, SshProfile::Modern).await;
}

#[tokio::test]
async fn netconf_as_a_command_is_found_where_there_is_no_subsystem() {
    pushes(Offer { subsystem: false, ..OLDEST }, SshProfile::Legacy).await;
    pushes(Offer { subsystem: false, ..MODERN }, SshProfile::Modern).await;
}
