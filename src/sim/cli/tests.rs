//! Conversations with the CLI.

use std::sync::Arc;
use std::time::Duration;

use super::session::{CliOutcome, CliSession};
use crate::sim::config::set_lines::parse_any;
use crate::sim::device::commit_check::DuplicateScope;
use crate::sim::device::model::{Dialect, Model};
use crate::sim::device::{Device, Rules};
use crate::sim::switch::faults::Faults;
use crate::sim::switch::open_session::OpenSession;
use crate::sim::switch::pace::Pace;
use crate::sim::switch::{Credentials, Switch, SwitchParts, Terminal};
use crate::sim::time;

const PORT: &str = "ethernet-switching-options secure-access-port interface ge-0/0/1.0";

fn switch() -> Arc<Switch> {
    let base = format!("set system host-name sw-001\nset {PORT} static-ip 10.0.0.1 vlan V mac 02:00:00:00:00:01");
    let rules = Rules { duplicates: DuplicateScope::Interface, check_confirms: true };
    Switch::new(SwitchParts {
        name: "sw-001".into(),
        model: Model::of(Dialect::NonEls, 0, "sw-001", None),
        login: Credentials { user: "vmacd".into(), password: "vmacd".into(), key: None },
        device: Device::new(Arc::new(parse_any(&base).unwrap()), rules, time::now()),
        faults: Faults::new(1),
        commit_time: Duration::ZERO,
        pace: Pace::default(),
        rate_limit: None,
    })
}

fn session(switch: &Arc<Switch>) -> CliSession {
    CliSession::new(OpenSession::open(switch.clone(), "vmacd", Terminal::Next).0, "vmacd")
}

async fn say(cli: &mut CliSession, line: &str) -> String {
    match cli.run_line(line).await {
        CliOutcome::Text(text) => text,
        other => format!("{other:?}"),
    }
}

/// What a terminal shows of a conversation.
async fn shown(cli: &mut CliSession, lines: &[&str]) -> String {
    let mut terminal = cli.prompt();
    for line in lines {
        let said = say(cli, line).await;
        terminal.push_str(&format!("{line}\n{said}{}", cli.prompt()));
    }
    terminal.trim_start().lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

#[tokio::test]
async fn an_operator_edits_compares_commits_and_leaves() {
    let switch = switch();
    let bind = format!("set {PORT} static-ip 10.0.0.2 vlan V mac 02:00:00:00:00:02");
    let lines =
        ["configure exclusive", &bind, "show | compare", "commit check", "commit confirmed 5", "commit and-quit"];
    insta::assert_snapshot!(shown(&mut session(&switch), &lines).await, @r"
    vmacd@sw-001> configure exclusive
    warning: uncommitted changes will be discarded on exit
    Entering configuration mode

    [edit]
    vmacd@sw-001# set ethernet-switching-options secure-access-port interface ge-0/0/1.0 static-ip 10.0.0.2 vlan V mac 02:00:00:00:00:02

    [edit]
    vmacd@sw-001# show | compare
    [edit ethernet-switching-options secure-access-port interface ge-0/0/1.0]
    +       static-ip 10.0.0.2 vlan V mac 02:00:00:00:00:02;

    [edit]
    vmacd@sw-001# commit check
    configuration check succeeds

    [edit]
    vmacd@sw-001# commit confirmed 5
    configuration check succeeds
    commit confirmed will be automatically rolled back in 5 minutes unless confirmed
    commit complete

    # commit confirmed will be rolled back in 5 minutes
    [edit]
    vmacd@sw-001# commit and-quit
    configuration check succeeds
    commit complete
    Exiting configuration mode

    vmacd@sw-001>
    ");
    let device = switch.device();
    assert_eq!((device.history[0].client, device.locked_by, device.deadline()), ("cli", None, None));
}

#[tokio::test]
async fn what_is_wrong_is_marked_or_refused_in_junos_words() {
    let switch = switch();
    let twice = format!("set {PORT} static-ip 10.0.0.2 vlan V mac 02:00:00:00:00:01");
    let lines = [
        "shov version",
        "show versions",
        "configure",
        "sett",
        "set system foo",
        "delete vlans X",
        &twice,
        "commit check",
        "rollback 7",
    ];
    insta::assert_snapshot!(shown(&mut session(&switch), &lines).await, @r"
    vmacd@sw-001> shov version
                  ^
    unknown command.

    vmacd@sw-001> show versions
                       ^
    syntax error, expecting <command>.

    vmacd@sw-001> configure
    Entering configuration mode

    [edit]
    vmacd@sw-001# sett
                  ^
    unknown command.

    [edit]
    vmacd@sw-001# set system foo
                             ^
    syntax error.

    [edit]
    vmacd@sw-001# delete vlans X
    warning: statement not found

    [edit]
    vmacd@sw-001# set ethernet-switching-options secure-access-port interface ge-0/0/1.0 static-ip 10.0.0.2 vlan V mac 02:00:00:00:00:01

    [edit]
    vmacd@sw-001# commit check
    [edit ethernet-switching-options secure-access-port interface ge-0/0/1.0 static-ip 10.0.0.2]
      '10.0.0.2'
        duplicate MAC address 02:00:00:00:00:01 on interface ge-0/0/1.0
    error: configuration check-out failed

    [edit]
    vmacd@sw-001# rollback 7
    error: No previous configuration for rollback 7

    [edit]
    vmacd@sw-001#
    ");
}

#[tokio::test]
async fn who_leaves_with_changes_is_asked() {
    let switch = switch();
    let edit = "set system host-name other";
    let lines = ["configure", edit, "exit", "maybe", "no", "rollback", "exit configuration-mode", "exit"];
    insta::assert_snapshot!(shown(&mut session(&switch), &lines).await, @r"
    vmacd@sw-001> configure
    Entering configuration mode

    [edit]
    vmacd@sw-001# set system host-name other

    [edit]
    vmacd@sw-001# exit
    The configuration has been changed but not committed
    Exit with uncommitted changes? [yes,no] (yes) maybe
    Please answer 'yes' or 'no'.
    Exit with uncommitted changes? [yes,no] (yes) no

    [edit]
    vmacd@sw-001# rollback
    load complete

    [edit]
    vmacd@sw-001# exit configuration-mode
    Exiting configuration mode

    vmacd@sw-001> exit
    Leave
    vmacd@sw-001>
    ");
}

#[tokio::test]
async fn who_holds_the_lock_keeps_the_others_out() {
    let switch = switch();
    let (mut first, mut second) = (session(&switch), session(&switch));
    say(&mut first, "configure exclusive").await;
    let refused = say(&mut second, "configure exclusive").await;
    assert!(
        refused.starts_with("error: configuration database locked by:\n  vmacd terminal pts/0 (pid 4201)"),
        "{refused}"
    );
    assert!(refused.ends_with("\n      exclusive [edit]\n"), "{refused}");
    assert!(second.prompt().ends_with("> "));
    let warned = say(&mut second, "configure").await;
    assert!(warned.contains("mode\nUsers currently editing the configuration:\n  vmacd terminal pts/0"), "{warned}");
    assert!(say(&mut second, "set system host-name x").await.starts_with("error: configuration database locked by:"));
    drop(first);
    assert_eq!(say(&mut second, "set system host-name x").await, "");
}

#[tokio::test]
async fn what_was_changed_under_the_lock_goes_with_it() {
    let switch = switch();
    let mut cli = session(&switch);
    say(&mut cli, "configure exclusive").await;
    say(&mut cli, "set system host-name other").await;
    assert!(
        say(&mut cli, "exit").await.ends_with("'configure exclusive'\nDiscard uncommitted changes? [yes,no] (yes) ")
    );
    let left = say(&mut cli, "yes").await;
    assert_eq!(left, "\nwarning: discarding uncommitted changes\nload complete\nExiting configuration mode\n");
    assert!(!switch.device().dirty && switch.device().locked_by.is_none());
}

#[tokio::test]
async fn parts_of_the_configuration_are_shown_in_each_form() {
    let switch = switch();
    let mut cli = session(&switch);
    let lines = [
        "show configuration system",
        "show configuration system host-name | display set",
        "show configuration | match static | count",
        "show configuration vlans",
        "show configuration sistem",
    ];
    insta::assert_snapshot!(shown(&mut cli, &lines).await, @r"
    vmacd@sw-001> show configuration system
    host-name sw-001;

    vmacd@sw-001> show configuration system host-name | display set
    set system host-name sw-001

    vmacd@sw-001> show configuration | match static | count
    Count: 1 lines

    vmacd@sw-001> show configuration vlans

    vmacd@sw-001> show configuration sistem
                                     ^
    syntax error.

    vmacd@sw-001>
    ");
}
