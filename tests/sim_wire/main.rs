//! The simulated switch over the wire, spoken to by a client that knows nothing but frames.
#![allow(clippy::disallowed_methods, reason = "a test waits for what it starts")]

mod client;
mod pace;

use std::sync::Arc;
use std::time::{Duration, Instant};

use client::{AnyKey, Client, login};
use russh::ChannelMsg;
use russh::keys::{Algorithm, PrivateKey, PrivateKeyWithHashAlg};
use vmacd::sim::{Dialect, Estate, Options, SimHandle};

const LOCK: &str = "<lock><target><candidate/></target></lock>";
const COMMIT: &str = "<commit-configuration/>";

fn confirmed(seconds: u64) -> String {
    format!("<commit><confirmed/><confirm-timeout>{seconds}</confirm-timeout></commit>")
}

fn bind(ip: &str, mac: &str) -> String {
    format!(
        "<load-configuration action=\"set\" format=\"text\"><configuration-set>set ethernet-switching-options secure-access-port \
         interface ge-0/0/1.0 static-ip {ip} vlan VLAN.13 mac {mac}</configuration-set></load-configuration>"
    )
}

async fn estate(options: Options) -> (Estate, SimHandle) {
    let estate = Estate::start(options).await.expect("free ports");
    let switch = estate.switch("sw-001").expect("the first switch");
    (estate, switch)
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(10), "never: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn ips(switch: &SimHandle) -> Vec<String> {
    let on_port = switch.bindings().into_iter().filter(|binding| binding.interface == "ge-0/0/1.0");
    on_port.map(|binding| binding.ip).collect()
}

#[tokio::test]
async fn a_session_goes_from_hello_to_goodbye() {
    let (estate, switch) = estate(Options::default()).await;
    let mut client = Client::open(&switch).await.unwrap();
    let hello = client.receive().await.unwrap();
    assert!(
        hello.starts_with("<!-- No zombies")
            && hello.contains("urn:ietf:params:xml:ns:netconf:capability:candidate:1.0")
    );
    let locked = client.rpc(LOCK).await.unwrap();
    assert!(locked.contains("message-id=\"7\"") && locked.contains("<ok/>"), "{locked}");
    assert!(client.rpc(&bind("10.0.1.9", "02:aa:00:00:00:01")).await.unwrap().contains("<ok/>"));
    assert!(client.rpc(COMMIT).await.unwrap().contains("<commit-success/>"));
    assert_eq!(ips(&switch), ["10.0.1.1", "10.0.1.9"]);
    assert!(client.rpc("<close-session/>").await.unwrap().contains("<ok/>"));
    assert!(client.receive().await.is_none());
    assert_eq!((switch.commits(), switch.rpc_counts()["commit-configuration"]), (1, 1));
    until("the session ends", || switch.sessions() == 0).await;
    estate.shutdown().await;
}

#[tokio::test]
async fn the_inventory_holds_the_key_the_switch_shows() {
    let (estate, switch) = estate(Options { switches: 1, ports_per_switch: 1, ..Options::default() }).await;
    let (_session, result, fingerprint) = login(&switch, "vmacd").await.unwrap();
    assert!(result.success());
    let expected = serde_json::json!({
        "switches": [{"name": "sw-001", "host": "127.0.0.1", "port": switch.addr().port(), "host_key": fingerprint,
            "dialect": "auto", "ssh_profile": "modern", "credential": "default"}],
        "servers": [{"id": 1001, "pxe_mac": "0c:c4:7a:00:00:00", "primary_ip": "10.0.0.1", "vlan_name": "VLAN.13",
            "ports": [{"switch": "sw-001", "interface": "ge-0/0/0.0"}]}],
    });
    assert_eq!(estate.inventory_json(), expected);
    assert!(!login(&switch, "wrong").await.unwrap().1.success());
}

#[tokio::test]
async fn the_dialect_shows_in_the_switching_table_and_in_the_bindings() {
    let (estate, _) = estate(Options { dialect: Dialect::Mixed, ..Options::default() }).await;
    for (name, root) in [("sw-001", "<ethernet-switching-table-information "), ("sw-002", "<l2ng-l2ald-rtb-macdb ")] {
        let switch = estate.switch(name).unwrap();
        let mut client = Client::ready(&switch).await;
        let reply = client
            .rpc("<get-ethernet-switching-table-information><summary/></get-ethernet-switching-table-information>")
            .await;
        assert!(reply.unwrap().contains(root));
        let expected: Vec<_> =
            estate.servers().iter().filter(|s| s.switch == name).map(|s| s.primary_binding()).collect();
        assert_eq!(switch.bindings(), expected);
    }
}

#[tokio::test]
async fn a_cut_connection_gives_its_lock_back_and_its_changes_away() {
    let (_estate, switch) = estate(Options::default()).await;
    let (mut first, mut second) = (Client::ready(&switch).await, Client::ready(&switch).await);
    first.rpc(LOCK).await.unwrap();
    first.rpc(&bind("10.0.1.9", "02:aa:00:00:00:01")).await.unwrap();
    assert!(switch.is_dirty());
    assert!(second.rpc(LOCK).await.unwrap().contains("configuration database locked by:\n  vmacd terminal  (pid "));
    drop(first);
    until("the lock is free", || switch.locked_by().is_none()).await;
    assert!(!switch.is_dirty());
    assert!(second.rpc(LOCK).await.unwrap().contains("<ok/>"));
}

#[tokio::test]
async fn an_unconfirmed_commit_comes_back_when_its_seconds_are_over() {
    let (_estate, switch) = estate(Options::default()).await;
    let mut client = Client::ready(&switch).await;
    client.rpc(&bind("10.0.1.9", "02:aa:00:00:00:01")).await.unwrap();
    assert!(client.rpc(&confirmed(1)).await.unwrap().contains("<ok/>"));
    client.rpc("<close-session/>").await.unwrap();
    assert_eq!(ips(&switch).len(), 2);
    until("the commit is taken back", || ips(&switch).len() == 1).await;
    assert_eq!((switch.history()[0].user.as_str(), switch.history()[0].client), ("root", "other"));
    assert_eq!(switch.history()[1].comment.as_deref(), Some("commit confirmed, rollback in 0mins"));
}

#[tokio::test]
async fn faults_around_a_commit_do_what_their_names_say() {
    let cases = [
        ("reply_lost_after_commit", true, true),
        ("session_dropped_before_commit", true, false),
        ("reboot:1", true, true),
        ("commit_rejected", false, false),
        ("unclosed_routing_engine", false, true),
        ("stray_daemon_text", false, true),
    ];
    for (fault, cut, applied) in cases {
        let (_estate, switch) = estate(Options { faults: vec![format!("{fault}@1")], ..Options::default() }).await;
        let mut client = Client::ready(&switch).await;
        client.rpc(LOCK).await.unwrap();
        client.rpc(&bind("10.0.1.9", "02:aa:00:00:00:01")).await.unwrap();
        assert_eq!(client.rpc(COMMIT).await.is_none(), cut, "{fault}");
        assert_eq!(ips(&switch).len(), if applied { 2 } else { 1 }, "{fault}");
    }
}

#[tokio::test]
async fn the_confirming_commit_can_be_lost_before_and_after() {
    for (fault, pending) in [("confirm_lost", true), ("confirm_reply_lost", false)] {
        let (_estate, switch) = estate(Options::default()).await;
        let mut client = Client::ready(&switch).await;
        client.rpc(&bind("10.0.1.9", "02:aa:00:00:00:01")).await.unwrap();
        client.rpc(&confirmed(600)).await.unwrap();
        switch.set_fault(fault).unwrap();
        assert!(client.rpc(COMMIT).await.is_none());
        assert_eq!(switch.is_commit_pending(), pending, "{fault}");
    }
}

#[tokio::test]
async fn a_commit_takes_its_time_and_keeps_the_database_to_itself() {
    let (_estate, switch) = estate(Options { commit_time: Duration::from_millis(300), ..Options::default() }).await;
    let (mut writer, mut reader) = (Client::ready(&switch).await, Client::ready(&switch).await);
    writer.rpc(&bind("10.0.1.9", "02:aa:00:00:00:01")).await.unwrap();
    let start = Instant::now();
    writer.send(&format!("<rpc>{COMMIT}</rpc>")).await;
    until("the commit runs", || switch.rpc_counts().contains_key("commit-configuration")).await;
    let read = reader.rpc("<get-configuration database=\"committed\" format=\"set\"/>").await.unwrap();
    assert!(start.elapsed() >= Duration::from_millis(290) && read.contains("10.0.1.9"));
    assert!(writer.receive().await.unwrap().contains("<commit-success/>"));
}

#[tokio::test]
async fn a_commit_goes_on_when_its_client_has_gone() {
    let (_estate, switch) = estate(Options { commit_time: Duration::from_millis(200), ..Options::default() }).await;
    let mut client = Client::ready(&switch).await;
    client.rpc(LOCK).await.unwrap();
    client.rpc(&bind("10.0.1.9", "02:aa:00:00:00:01")).await.unwrap();
    client.send(&format!("<rpc>{COMMIT}</rpc>")).await;
    until("the commit runs", || switch.rpc_counts().contains_key("commit-configuration")).await;
    drop(client);
    until("the commit is done", || switch.commits() == 1).await;
    until("the lock is free", || switch.locked_by().is_none()).await;
    assert_eq!(ips(&switch).len(), 2);
}

#[tokio::test]
async fn a_stopped_switch_refuses_and_comes_back_as_it_was() {
    let (_estate, switch) = estate(Options::default()).await;
    let mut client = Client::ready(&switch).await;
    client.rpc(LOCK).await.unwrap();
    switch.stop();
    assert!(client.rpc(COMMIT).await.is_none());
    until("connections are refused", || std::net::TcpStream::connect(switch.addr()).is_err()).await;
    switch.start().await.unwrap();
    let mut client = Client::ready(&switch).await;
    assert!(client.rpc(LOCK).await.unwrap().contains("<ok/>"));
}

#[tokio::test]
async fn a_refused_subsystem_leaves_the_older_way_in() {
    let (_estate, switch) = estate(Options { faults: vec!["subsystem_refused".into()], ..Options::default() }).await;
    let mut refused = Client::open(&switch).await.unwrap();
    assert!(matches!(refused.channel.wait().await, Some(ChannelMsg::Failure)));
    for command in ["xml-mode netconf need-trailer", "junoscript netconf need-trailer"] {
        let mut client = Client::exec(&switch, command).await.unwrap();
        assert!(client.receive().await.unwrap().contains("<hello "));
    }
}

#[tokio::test]
async fn an_operator_can_be_in_the_way() {
    let (_estate, switch) = estate(Options::default()).await;
    let mut client = Client::ready(&switch).await;
    switch.operator_lock().unwrap();
    assert!(client.rpc(LOCK).await.unwrap().contains("admin terminal pts/0 (pid "));
    switch.operator_unlock();
    switch.operator_edit("set snmp location elsewhere").unwrap();
    assert!(client.rpc(LOCK).await.unwrap().contains("configuration database modified"));
    switch.operator_commit().unwrap();
    assert!(client.rpc(LOCK).await.unwrap().contains("<ok/>"));
    assert!(
        switch.committed_text().contains("location elsewhere;")
            && switch.committed_set().contains("set snmp location elsewhere")
    );
}

#[tokio::test]
async fn unknown_rpcs_and_broken_xml_get_errors_and_the_session_lives() {
    let (_estate, switch) = estate(Options::default()).await;
    let mut client = Client::ready(&switch).await;
    let unknown = client.rpc("<get-nonsense/>").await.unwrap();
    assert!(unknown.contains("syntax error") && unknown.contains("<bad-element>get-nonsense</bad-element>"));
    client.send("<rpc><lock></rpc>").await;
    assert!(client.receive().await.unwrap().contains("<rpc-error>"));
    assert!(client.rpc(LOCK).await.unwrap().contains("<ok/>"));
}

#[tokio::test]
async fn the_sim_command_writes_its_inventory_and_takes_a_configuration() {
    let directory = tempfile::tempdir().unwrap();
    let (inventory, config) = (directory.path().join("inventory.json"), directory.path().join("start.conf"));
    std::fs::write(&config, "snmp { location \"from the file\"; }\n").unwrap();
    let options = Options { inventory: Some(inventory.clone()), config: Some(config), ..Options::default() };
    let estate = Estate::start(options.clone()).await.unwrap();
    assert!(estate.switch("sw-002").unwrap().committed_set().contains("set snmp location \"from the file\""));
    vmacd::sim::run(options, async {}).await.unwrap();
    let written: serde_json::Value = serde_json::from_slice(&std::fs::read(&inventory).unwrap()).unwrap();
    assert_eq!(written["servers"].as_array().unwrap().len(), 8);
}

#[tokio::test]
async fn a_public_key_opens_where_it_was_given() {
    let key = PrivateKey::random(&mut russh::keys::key::safe_rng(), Algorithm::Ed25519).unwrap();
    let line = key.public_key().to_openssh().unwrap();
    for (authorized_key, opens) in [(Some(line), true), (None, false)] {
        let (_estate, switch) = estate(Options { authorized_key, ..Options::default() }).await;
        let handler = AnyKey(Arc::default());
        let mut session = russh::client::connect(Arc::default(), switch.addr(), handler).await.unwrap();
        let key = PrivateKeyWithHashAlg::new(Arc::new(key.clone()), None);
        assert_eq!(session.authenticate_publickey("vmacd", key).await.unwrap().success(), opens);
    }
}

#[tokio::test]
async fn switches_take_orders_at_the_control_socket_while_they_run() {
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    let dir = tempfile::tempdir().unwrap();
    let (control, inventory) = (dir.path().join("control"), dir.path().join("inventory.json"));
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let options = Options { control: Some(control.clone()), inventory: Some(inventory.clone()), ..Options::default() };
    let running = tokio::spawn(vmacd::sim::run(options, async { drop(stopped.await) }));
    let stream = loop {
        match tokio::net::UnixStream::connect(&control).await {
            Ok(stream) => break stream,
            Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    };
    let (reader, mut writer) = stream.into_split();
    let mut lines = BufReader::new(reader).lines();
    for (order, expected) in [
        ("sw-001 fault lock_denied@2", "ok"),
        ("sw-001 faults", "ok sw-001: lock_denied"),
        ("all clear", "ok"),
        ("all faults", "ok sw-001:  sw-002: "),
        ("sw-002 edit set system host-name renamed", "ok"),
        ("sw-002 commit", "ok"),
        ("sw-001 commit-time 20ms", "ok"),
        ("sw-001 rpc-time 1ms", "ok"),
        ("sw-001 read-rate 150KB/s", "ok"),
        ("sw-001 read-rate fast", "error: fast: expected a rate such as 150KB/s"),
        ("sw-001 holds", "ok []"),
        ("sw-002 lock", "ok"),
        ("sw-002 unlock", "ok"),
        ("sw-002 expire", "error: sw-002: no commit is waiting to be confirmed"),
        ("sw-003 clear", "error: there is no switch sw-003"),
        ("sw-001 fault no_such_fault", "error: unknown fault"),
        ("sw-001 dance", "error: SWITCH (or all), then: fault"),
        ("nonsense", "error: SWITCH (or all), then: fault"),
    ] {
        writer.write_all(format!("{order}\n").as_bytes()).await.unwrap();
        let answer = lines.next_line().await.unwrap().unwrap();
        assert!(answer.starts_with(expected), "{order}: {answer}");
    }
    stop.send(()).unwrap();
    running.await.unwrap().unwrap();
    assert!(!control.exists(), "the socket goes with the switches");
}
