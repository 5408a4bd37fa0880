//! The device's rules, one table at a time.

use std::sync::Arc;

use super::commit::CommitRequest;
use super::commit_check::{DuplicateScope, bindings};
use super::load::{Action, Load};
use super::{Device, ROLLBACKS_MAX, Refused, Rules};
use crate::sim::config::set_lines::{parse_any, print_set, read_set};

const PORT: &str = "ethernet-switching-options secure-access-port interface";
const RULES: Rules = Rules { duplicates: DuplicateScope::Interface, check_confirms: true };
const NOW: i64 = 1_700_000_000_000;

fn device() -> Device {
    let base = parse_any(&format!("set {PORT} ge-0/0/1.0 static-ip 10.0.0.1 vlan V mac 0c:00:00:00:00:01")).unwrap();
    Device::new(Arc::new(base), RULES, NOW)
}

fn set(device: &mut Device, pid: u32, lines: &str) -> Result<Vec<String>, Refused> {
    let (edits, errors) = read_set(lines);
    let load = Load { action: Action::Merge, edits, errors, located: false };
    let report = device.load(pid, &load, NOW)?;
    Ok(report.into_iter().map(|error| error.message).collect())
}

fn bind(ip: u8, mac: u8) -> String {
    format!("set {PORT} ge-0/0/1.0 static-ip 10.0.0.{ip} vlan V mac 02:00:00:00:00:{mac:02x}")
}

fn words(outcome: Result<(), Refused>) -> String {
    outcome.map_or_else(|errors| errors[0].message.clone(), |()| "ok".to_owned())
}

fn confirmed(seconds: u64) -> CommitRequest {
    CommitRequest { confirmed_s: Some(seconds), ..CommitRequest::default() }
}

fn plain() -> CommitRequest {
    CommitRequest::default()
}

#[test]
fn one_session_holds_the_lock_and_the_others_read_who() {
    let mut device = device();
    let (a, b) = (device.open_session("admin", "", NOW), device.open_session("vmacd", "", NOW));
    assert_eq!(words(device.lock(a, NOW)), "ok");
    assert_eq!(words(device.lock(a, NOW)), "Configuration database is already open");
    insta::assert_snapshot!(words(device.lock(b, NOW + 288_000)).trim_end(), @r"
    configuration database locked by:
      admin terminal  (pid 4201) on since 2023-11-14 22:13:20 UTC, idle 00:04:48
          exclusive
    ");
    assert!(words(set(&mut device, b, &bind(2, 2)).map(drop)).starts_with("configuration database locked by:"));
    assert_eq!(words(device.unlock(b)), "Configuration database is not open");
    assert_eq!(words(device.unlock(a)), "ok");
    assert_eq!(words(device.lock(b, NOW)), "ok");
}

#[test]
fn uncommitted_changes_go_with_the_lock_however_it_ends() {
    for end in [Device::end_session, |device: &mut Device, pid| device.unlock(pid).unwrap()] {
        let mut device = device();
        let pid = device.open_session("vmacd", "", NOW);
        device.lock(pid, NOW).unwrap();
        set(&mut device, pid, &bind(2, 2)).unwrap();
        assert!(device.dirty);
        end(&mut device, pid);
        assert!(!device.dirty && device.locked_by.is_none() && device.candidate == device.committed);
    }
}

#[test]
fn edits_without_a_lock_stay_behind_and_refuse_the_next_lock() {
    let mut device = device();
    let (operator, client) = (device.open_session("admin", "pts/0", NOW), device.open_session("vmacd", "", NOW));
    set(&mut device, operator, &bind(2, 2)).unwrap();
    device.end_session(operator);
    assert_eq!(words(device.lock(client, NOW)), "configuration database modified");
    assert_eq!(words(device.open_private(client, NOW)), "shared configuration database modified");
    device.load_rollback(client, 0, NOW).unwrap();
    assert_eq!(words(device.lock(client, NOW)), "ok");
}

#[test]
fn a_load_that_changes_nothing_leaves_the_candidate_clean() {
    let mut device = device();
    let pid = device.open_session("vmacd", "", NOW);
    let same = format!("set {PORT} ge-0/0/1.0 static-ip 10.0.0.1 vlan V mac 0c:00:00:00:00:01");
    assert_eq!(set(&mut device, pid, &same).unwrap(), Vec::<String>::new());
    assert_eq!(
        set(&mut device, pid, &format!("delete {PORT} ge-0/0/1.0 static-ip 10.0.0.9")).unwrap(),
        ["statement not found"]
    );
    assert!(!device.dirty);
}

#[test]
fn a_load_with_an_error_applies_the_rest() {
    let mut device = device();
    let pid = device.open_session("vmacd", "", NOW);
    let report = set(&mut device, pid, &format!("{}\nset nonsense 1\n{}", bind(2, 2), bind(3, 3))).unwrap();
    assert_eq!(report, ["syntax error"]);
    assert_eq!(bindings(&device.candidate).len(), 3);
}

#[test]
fn two_addresses_with_one_mac_are_refused_as_a_pair_of_errors() {
    let mut device = device();
    let pid = device.open_session("vmacd", "", NOW);
    set(&mut device, pid, &format!("{}\n{}", bind(6, 2), bind(7, 2))).unwrap();
    for request in [plain(), CommitRequest { check_only: true, ..plain() }, confirmed(60)] {
        let errors = device.commit(pid, &request, NOW).unwrap_err();
        assert_eq!(errors.len(), 2);
        assert_eq!(errors[0].path.as_deref(), Some(&*format!("[edit {PORT} ge-0/0/1.0 static-ip 10.0.0.7]")));
        assert!(errors[0].message.contains("duplicate MAC address"));
        assert_eq!(
            (errors[0].class, errors[1].class),
            (Some(("application", "invalid-value")), Some(("protocol", "operation-failed")))
        );
        assert_eq!(errors[1].message, "configuration check-out failed");
    }
    assert_eq!(device.commits, 0);
}

#[test]
fn the_scope_of_duplicates_is_a_setting() {
    let twice =
        |second: &str| format!("{}\nset {PORT} {second} static-ip 10.0.0.8 vlan V mac 02:00:00:00:00:06", bind(6, 6));
    let els = "set vlans V forwarding-options dhcp-security group g interface i static-ip 10.0.0.1 mac 02:00:00:00:00:01\n\
               set vlans V forwarding-options dhcp-security group g interface i static-ip 10.0.0.2 mac 02:00:00:00:00:01";
    let families = els.replace("static-ip 10.0.0.2", "static-ipv6 2001:db8::2");
    let cases = [
        (DuplicateScope::Interface, twice("ge-0/0/1.0"), true),
        (DuplicateScope::Interface, twice("ge-0/0/2.0"), false),
        (DuplicateScope::Vlan, twice("ge-0/0/2.0"), true),
        (DuplicateScope::Switch, twice("ge-0/0/1"), true),
        (DuplicateScope::Off, twice("ge-0/0/1.0"), false),
        (DuplicateScope::Interface, els.to_owned(), true),
        (DuplicateScope::Interface, families, true),
    ];
    for (scope, lines, refused) in cases {
        assert_eq!(
            !super::commit_check::check(&parse_any(&lines).unwrap(), scope).is_empty(),
            refused,
            "{scope:?} {lines}"
        );
    }
}

#[test]
fn a_binding_without_a_mac_is_refused() {
    let tree = parse_any(&format!("set {PORT} ge-0/0/1.0 static-ip 10.0.0.1 vlan V")).unwrap();
    assert!(super::commit_check::check(&tree, DuplicateScope::Off)[0].message.contains("Missing mandatory statement"));
}

#[test]
fn an_unconfirmed_commit_is_taken_back_as_a_commit_of_its_own() {
    let mut device = device();
    let before = device.committed.clone();
    let pid = device.open_session("vmacd", "", NOW);
    device.lock(pid, NOW).unwrap();
    set(&mut device, pid, &bind(2, 2)).unwrap();
    device.commit(pid, &CommitRequest { log: Some("push 7".into()), ..confirmed(120) }, NOW).unwrap();
    device.end_session(pid);
    assert!(!device.tick(NOW + 119_999));
    assert!(device.tick(NOW + 120_000));
    assert_eq!(device.committed, before);
    let shown: Vec<_> =
        device.history.iter().map(|c| (c.user.as_str(), c.client, c.comment.as_deref(), c.log.as_deref())).collect();
    let mine = ("vmacd", "netconf", Some("commit confirmed, rollback in 2mins"), Some("push 7"));
    assert_eq!(shown, [("root", "other", None, None), mine, ("root", "other", None, None)]);
    assert_eq!(bindings(&device.rollback(1).unwrap()).len(), 2);
}

#[test]
fn any_commit_confirms_and_a_check_does_where_the_release_says_so() {
    let check = CommitRequest { check_only: true, ..plain() };
    for (request, check_confirms, still_pending) in
        [(plain(), true, false), (check.clone(), true, false), (check, false, true), (confirmed(900), true, true)]
    {
        let mut device = device();
        device.rules.check_confirms = check_confirms;
        let (a, b) = (device.open_session("vmacd", "", NOW), device.open_session("admin", "", NOW));
        set(&mut device, a, &bind(2, 2)).unwrap();
        device.commit(a, &confirmed(600), NOW).unwrap();
        device.commit(b, &request, NOW + 1000).unwrap();
        assert_eq!(device.deadline().is_some(), still_pending, "{request:?}");
        device.tick(NOW + 3_600_000);
        assert_eq!(bindings(&device.committed).len(), if still_pending && request.check_only { 1 } else { 2 });
    }
}

#[test]
fn killing_the_session_takes_its_confirmed_commit_back() {
    let mut device = device();
    let (a, b) = (device.open_session("vmacd", "", NOW), device.open_session("admin", "", NOW));
    set(&mut device, a, &bind(2, 2)).unwrap();
    device.commit(a, &confirmed(600), NOW).unwrap();
    assert!(device.kill(b, b, NOW).is_err() && device.kill(b, 1, NOW).is_err());
    device.kill(b, a, NOW).unwrap();
    assert_eq!(bindings(&device.committed).len(), 1);
    assert!(!device.knows(a) && device.deadline().is_none());
}

#[test]
fn a_restart_keeps_an_unconfirmed_commit() {
    let mut device = device();
    let pid = device.open_session("vmacd", "", NOW);
    device.lock(pid, NOW).unwrap();
    set(&mut device, pid, &bind(2, 2)).unwrap();
    device.commit(pid, &confirmed(60), NOW).unwrap();
    device.reboot();
    assert!(!device.tick(NOW + 600_000));
    assert_eq!((bindings(&device.committed).len(), device.locked_by), (2, None));
}

#[test]
fn a_private_copy_is_replayed_on_what_others_committed() {
    let mut device = device();
    let (a, b) = (device.open_session("a", "", NOW), device.open_session("b", "", NOW));
    device.open_private(a, NOW).unwrap();
    set(&mut device, a, &bind(2, 2)).unwrap();
    assert!(words(set(&mut device, b, &bind(3, 3)).map(drop)).starts_with("private edits in use"));
    device.lock(b, NOW).unwrap();
    set(&mut device, b, &bind(3, 3)).unwrap();
    assert!(words(device.commit(a, &plain(), NOW)).starts_with("configuration database locked by"));
    device.commit(b, &plain(), NOW).unwrap();
    device.unlock(b).unwrap();
    assert_eq!(
        words(device.commit(a, &confirmed(60), NOW)),
        "commit confirmed not supported for private configuration"
    );
    device.commit(a, &plain(), NOW).unwrap();
    assert_eq!(bindings(&device.committed).len(), 3);
    assert_eq!(words(device.close_private(a)), "ok");
    assert_eq!(words(device.close_private(a)), "Configuration database is not open");
}

#[test]
fn fifty_configurations_are_kept_and_no_more() {
    let mut device = device();
    let pid = device.open_session("vmacd", "", NOW);
    for number in 0..60 {
        set(&mut device, pid, &format!("set system host-name h{number}")).unwrap();
        device.commit(pid, &plain(), NOW).unwrap();
    }
    assert!(print_set(&device.rollback(ROLLBACKS_MAX).unwrap()).contains("h10"));
    assert!(device.rollback(ROLLBACKS_MAX + 1).is_none());
    assert_eq!(device.history.len(), 50);
    device.load_rollback(pid, 3, NOW).unwrap();
    assert!(print_set(&device.candidate).contains("h56") && device.dirty);
}
