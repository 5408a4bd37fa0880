//! Opening a session: reaching the switch, its key, the login, NETCONF.

use std::time::Duration;

use vmacd::domain::Code;
use vmacd::sim::Options;
use vmacd::switch::{SwitchClient, SwitchError, Timeouts, fetch_host_key};

use super::bench::{Bench, Notes, credential, timeouts, whole};

async fn refused(bench: &Bench) -> SwitchError {
    bench.try_client().await.map(|_| ()).expect_err("no session")
}

#[tokio::test]
async fn a_switch_without_a_pinned_key_is_refused_with_the_command_that_pins_it() {
    let mut bench = Bench::non_els().await;
    let pinned = bench.switch.host_key.take().expect("a key");
    let error = refused(&bench).await;
    assert!(error.to_string().contains("vmacd switches trust sw-001"), "{error}");
    assert_eq!(fetch_host_key(&bench.switch, Duration::from_secs(20)).await.expect("a key"), pinned);
}

#[tokio::test]
async fn another_key_than_the_pinned_one_is_refused_before_any_password() {
    let mut bench = Bench::non_els().await;
    let shown = bench.switch.host_key.replace("SHA256:AAAA".to_owned()).expect("a key");
    let error = refused(&bench).await;
    assert_eq!(error.failure().code, Code::HostKeyChanged);
    assert!(error.to_string().contains(&shown) && error.to_string().contains("SHA256:AAAA"), "{error}");
}

#[tokio::test]
async fn a_wrong_password_is_told_without_the_password() {
    let bench = Bench::non_els().await;
    let login = credential("vmacd", "hunter2");
    let error = SwitchClient::connect(&bench.switch, None, &login, &timeouts()).await.map(|_| ()).expect_err("refused");
    assert_eq!(error.failure().code, Code::LoginRefused);
    assert!(!format!("{error} {error:?} {login:?}").contains("hunter2"));
}

#[tokio::test]
async fn a_key_file_opens_a_session() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("id");
    let made = std::process::Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "secret words", "-f"])
        .arg(&file)
        .status();
    assert!(made.is_ok_and(|status| status.success()), "ssh-keygen makes a key");
    let public = std::fs::read_to_string(file.with_extension("pub")).expect("the public half");
    let bench = Bench::with(Options { authorized_key: Some(public), ..Options::default() }).await;
    let mut login = vmacd::switch::Credential { user: "vmacd".to_owned(), key_file: Some(file), ..Default::default() };
    let error = SwitchClient::connect(&bench.switch, None, &login, &timeouts()).await.map(|_| ()).expect_err("locked");
    assert_eq!(error.failure().code, Code::CredentialMissing);
    login.key_passphrase = Some("secret words".to_owned());
    SwitchClient::connect(&bench.switch, None, &login, &timeouts()).await.expect("a session");
}

#[tokio::test]
async fn a_switch_that_is_down_or_mute_is_unreachable_within_the_limit() {
    for fault in ["refuse_connections", "session_dropped_at_hello"] {
        let bench = Bench::non_els().await;
        bench.sim().set_fault(fault).expect("a fault");
        assert_eq!(refused(&bench).await.failure().code, Code::Unreachable, "{fault}");
    }
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let mut bench = Bench::non_els().await;
    bench.switch.port = listener.local_addr().expect("a port").port();
    let limit = Duration::from_millis(300);
    let (start, limits) = (std::time::Instant::now(), Timeouts { connect: limit, ..timeouts() });
    let mute = SwitchClient::connect(&bench.switch, None, &credential("vmacd", "vmacd"), &limits).await;
    assert_eq!(mute.map(|_| ()).expect_err("mute").failure().code, Code::Unreachable);
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

#[tokio::test]
async fn where_the_subsystem_is_refused_the_command_is_used() {
    let bench = Bench::non_els().await;
    bench.sim().set_fault("subsystem_refused").expect("a fault");
    let report = bench.push(&mut Notes::of(vec![bench.create(0, 1)])).await;
    assert_eq!((whole(&report), bench.extra().len()), (None, 1));
}

#[tokio::test]
async fn both_framings_are_spoken() {
    let bench = Bench::with(Options { base_1_1: true, ..Options::default() }).await;
    let report = bench.push(&mut Notes::of(vec![bench.create(0, 1)])).await;
    assert_eq!((whole(&report), bench.extra().len()), (None, 1));
}

#[tokio::test]
async fn a_switch_that_limits_connections_is_reached_again_over_the_session_that_stands() {
    let bench = Bench::with(Options { rate_limit: Some(1), ..Options::default() }).await;
    let mut client = bench.client().await;
    assert_eq!(refused(&bench).await.failure().code, Code::Unreachable, "one too many");
    assert!(client.bindings().await.is_ok(), "which is why sessions are kept");
}

#[tokio::test]
async fn rfc_compliant_switches_are_understood() {
    for bench in [Bench::non_els().await, Bench::els().await] {
        bench.operator_sets(&["set system services netconf rfc-compliant"]);
        let mut notes = Notes::of(vec![bench.create(0, 1), bench.create(0, 2)]);
        assert_eq!((whole(&bench.push(&mut notes).await), bench.extra().len()), (None, 2));
        bench.sim().operator_lock().expect("locked");
        let refused = bench.push(&mut Notes::of(vec![bench.revoke(0, 1)])).await;
        assert_eq!(whole(&refused), Some(Code::LockedByOther));
        bench.sim().operator_unlock();
        assert_eq!(whole(&bench.push(&mut Notes::of(vec![bench.revoke(0, 1)])).await), None);
        assert_eq!(bench.extra().len(), 1);
    }
}

#[tokio::test]
async fn a_slow_answer_is_waited_for_up_to_the_limit_and_no_longer() {
    let bench = Bench::non_els().await;
    bench.sim().set_fault("slow_reply:400").expect("a fault");
    assert_eq!(whole(&bench.push(&mut Notes::of(vec![bench.create(0, 1)])).await), None);
    let limits = Timeouts { rpc: Duration::from_millis(100), ..timeouts() };
    let dialect = Some(vmacd::domain::Dialect::NonEls);
    let login = credential("vmacd", "vmacd");
    let mut client = SwitchClient::connect(&bench.switch, dialect, &login, &limits).await.expect("a session");
    let error = client.bindings().await.expect_err("too slow");
    assert_eq!(error.failure().code, Code::ConnectionLost);
    assert!(error.breaks_session());
}
