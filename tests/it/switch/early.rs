//! Servers that say something before they answer, in pieces, or amid other things: nothing of it is lost or misplaced.

use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use vmacd::domain::{Code, Switch};
use vmacd::switch::{PushOptions, SwitchClient, SwitchError, push};

use super::bench::{Bench, Notes, credential, timeouts, whole};
use crate::support::eager::Eager;
use crate::support::eager::Step::{self, Complain, Empty, Eof, Grant, HelloUpTo, Refuse, Say};
use crate::support::sshd::bridge;

async fn connect(bench: &Bench, port: u16, fingerprint: &str) -> Result<SwitchClient, SwitchError> {
    let switch = Switch { port, host_key: Some(fingerprint.to_owned()), ..bench.switch.clone() };
    SwitchClient::connect(&switch, None, &credential("vmacd", "vmacd"), &timeouts()).await
}

/// Pushes one address over the session.
async fn pushes(bench: &Bench, mut client: SwitchClient, told: &str) {
    let wishes = vec![bench.create(0, 1)];
    let report = push(&mut client, &mut Notes::of(wishes.clone()), &PushOptions { confirm_timeout_min: 5 }).await;
    assert_eq!(whole(&report), None, "{told}: {report:?}");
    assert_eq!(bench.extra(), Bench::bound(&wishes), "{told}");
}

#[tokio::test]
async fn what_a_switch_says_before_it_answers_is_kept() {
    let cases: [(&'static [Step], &'static [Step]); 7] = [
        (&[HelloUpTo(1.0), Grant], &[]),
        (&[HelloUpTo(0.5), Grant, HelloUpTo(1.0)], &[]),
        (&[Empty, HelloUpTo(0.3), Empty, Grant, Empty, HelloUpTo(1.0), Empty], &[]),
        (
            &[Complain("no <hello> here"), HelloUpTo(0.7), Complain("nor here"), Grant, Complain("."), HelloUpTo(1.0)],
            &[],
        ),
        (&[Say("Authorised use only.\n"), HelloUpTo(1.0), Grant], &[]),
        (&[Say("No NETCONF for <you>.\n"), Refuse], &[HelloUpTo(1.0), Grant]),
        (&[Say("gone"), Eof], &[HelloUpTo(0.9), Grant, HelloUpTo(1.0)]),
    ];
    for (subsystem, command) in cases {
        let bench = Bench::non_els().await;
        let server = Eager::start(bench.sim(), subsystem, command).await;
        let told = format!("{subsystem:?} {command:?}");
        match connect(&bench, server.port, &server.fingerprint).await {
            Ok(client) => pushes(&bench, client, &told).await,
            Err(error) => panic!("{told}: {error}"),
        }
    }
}

#[tokio::test]
async fn a_channel_that_ends_early_is_no_session_and_costs_no_time() {
    let cases: [(&'static [Step], &'static [Step]); 3] = [
        (&[HelloUpTo(0.5), Grant, Eof], &[]),
        (&[HelloUpTo(0.5), Eof], &[HelloUpTo(0.5), Eof]),
        (&[Say("no"), Refuse], &[Say("no"), Refuse]),
    ];
    for (subsystem, command) in cases {
        let bench = Bench::non_els().await;
        let server = Eager::start(bench.sim(), subsystem, command).await;
        let start = Instant::now();
        let error = connect(&bench, server.port, &server.fingerprint).await.map(|_| ()).expect_err("no session");
        assert_eq!(error.failure().code, Code::Unreachable, "{subsystem:?} {command:?}");
        assert!(start.elapsed() < timeouts().connect / 2, "{subsystem:?} {command:?}: {:?}", start.elapsed());
    }
}

#[tokio::test]
async fn a_server_made_with_paramiko_is_reached() {
    let bench = Bench::non_els().await;
    let (_server, port, fingerprint) = paramiko(bridge(bench.sim().clone()).await).await;
    let client = connect(&bench, port, &fingerprint).await.expect("a session");
    pushes(&bench, client, "paramiko").await;
}

/// Starts `tests/clients/paramiko_server.py`; answers with its port and the fingerprint of its key.
async fn paramiko(netconf_port: u16) -> (Child, u16, String) {
    let clients = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients");
    let made = Command::new(clients.join("venv")).stderr(Stdio::inherit()).output().await.expect("tests/clients/venv");
    assert!(made.status.success(), "the clients are not installed");
    let mut server = Command::new(String::from_utf8_lossy(&made.stdout).trim())
        .arg(clients.join("paramiko_server.py"))
        .args(["--netconf-port", &netconf_port.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("Python runs");
    let mut lines = BufReader::new(server.stdout.take().expect("its output")).lines();
    let line = lines.next_line().await.expect("readable").expect("a line");
    let said: Value = serde_json::from_str(&line).expect("JSON");
    let port = said["port"].as_u64().and_then(|port| u16::try_from(port).ok()).expect("a port");
    (server, port, said["fingerprint"].as_str().expect("a fingerprint").to_owned())
}
