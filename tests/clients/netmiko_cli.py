"""Runs the ordinary configuration workflow of netmiko's juniper_junos driver at the CLI of a switch."""
import re
import time

from netmiko import ConnectHandler

import common
from common import expect

ERRORS = r"syntax error\.|unknown command\.|missing argument\.|error: "


def new_session(args):
    """Open a CLI session."""
    return ConnectHandler(
        device_type="juniper_junos", host=args.host, port=args.port, username=args.user, password=args.password
    )


def committed(session):
    """List the committed configuration's set commands, from either mode."""
    run = "run " if session.check_config_mode() else ""
    shown = session.send_command(f"{run}show configuration | display set")
    return [line.strip() for line in shown.splitlines() if line.strip()]


def candidate(session):
    """List the candidate's set commands."""
    return [line.strip() for line in session.send_command("show | display set").splitlines() if line.strip()]


def difference(session):
    """Read the difference between the candidate and the committed configuration."""
    return session.send_command("show | compare").strip("\n")


def history(session):
    """List the commits, newest first, each with its remarks."""
    run = "run " if session.check_config_mode() else ""
    return re.split(r"\n(?=\d+ )", session.send_command(f"{run}show system commit").strip())


def sets(session, *commands):
    """Send configuration commands, none of which may fail, and stay in configuration mode."""
    return session.send_config_set(commands, exit_config_mode=False, error_pattern=ERRORS)


def group_of(lines, args):
    """Read from the configuration which group the port uses (ELS only)."""
    if args.dialect == "non-els":
        return ""
    port = rf"set vlans {args.vlan} forwarding-options dhcp-security group (\S+) interface {args.interface} "
    found = [match[1] for match in map(lambda line: re.match(port, line), lines) if match]
    expect(found, f"no dhcp-security group of {args.vlan} holds {args.interface}")
    return found[0]


def lock(session):
    """Enter exclusive configuration mode."""
    entered = session.config_mode("configure exclusive")
    expect("warning: uncommitted changes will be discarded on exit" in entered, f"entered with: {entered!r}")
    expect(session.check_config_mode(), "not in configuration mode")


def check_connect(session, args):
    """Check the prompt that netmiko found."""
    expect(session.base_prompt.startswith(f"{args.user}@"), f"prompt {session.base_prompt!r}")
    expect(session.find_prompt() == session.base_prompt + ">", f"prompt {session.find_prompt()!r}")
    expect(not session.check_config_mode(), "in configuration mode already")


def check_version(session):
    """Read host name, model and release."""
    shown = session.send_command("show version")
    host = session.base_prompt.split("@")[1]
    expect(f"Hostname: {host}" in shown, f"shown: {shown!r}")
    expect(re.search(r"^Model: ex\d", shown, re.M) and re.search(r"^Junos: \d", shown, re.M), f"shown: {shown!r}")


def check_configuration(session, args):
    """Read the configuration in braces: the whole, and the part that holds the interface."""
    shown = session.send_command("show configuration")
    expect(shown.startswith("## Last commit: "), f"starts with {shown[:40]!r}")
    expect(f"{args.interface.split('.')[0]} {{" in shown, f"{args.interface} is not there")
    expect(shown.count("{") == shown.count("}") > 20, "braces do not match")
    part = session.send_command("show configuration system host-name").strip()
    expect(part == f"host-name {session.base_prompt.split('@')[1]};", f"host-name: {part!r}")


def check_set_form(session, before):
    """Check that the set commands are set commands, and as many as the CLI counts."""
    expect(all(line.startswith(("set ", "deactivate ")) for line in before), "a line that is no set command")
    count = session.send_command("show configuration | display set | count").strip()
    expect(count == f"Count: {len(before)} lines", f"{count}, but {len(before)} lines")


def check_second_lock(args):
    """Check that a second session is refused the lock, and is told who holds it."""
    other = new_session(args)
    refused = other.send_command("configure exclusive", expect_string=r"> $")
    locked = other.check_config_mode()
    other.disconnect()
    expect(not locked, "a second session could lock too")
    who = rf"^error: configuration database locked by:\n  {args.user} terminal pts/\d \(pid \d+\) on since .*\n"
    expect(re.search(who + r" +exclusive \[edit\]", refused), f"refused with: {refused!r}")


def check_set(session, args, group):
    """Set the binding and check that the candidate alone holds it."""
    line = common.binding_set(args, group)
    sets(session, line)
    expect(common.shows_binding(difference(session), args), f"difference: {difference(session)!r}")
    expect(line in candidate(session), "the candidate does not hold the binding")
    expect(line not in committed(session), "the binding is committed already")


def check_errors(session):
    """Check how what is wrong is worded and marked, and that it changes nothing."""
    margin = len(session.base_prompt) + 2
    for command, word, message in [
        ("set system nonsense", "nonsense", "syntax error."),
        ("nonsense", "nonsense", "unknown command."),
        ("set system host-name", "", "missing argument."),
    ]:
        said = session.send_command(command).rstrip().split("\n")
        column = margin + (command.index(word) if word else len(command) + 1)
        expect(said[:2] == [" " * column + "^", message], f"{command}: {said}")
    gone = session.send_command("delete system services ftp").strip()
    expect(gone == "warning: statement not found", f"deleting what is not there: {gone!r}")
    expect(difference(session) == "", f"difference: {difference(session)!r}")


def check_rollback(session, args, group):
    """Throw the changes away and check that nothing differs."""
    said = session.send_command("rollback").strip()
    expect(said == "load complete", f"rollback said {said!r}")
    expect(difference(session) == "", f"difference after rollback: {difference(session)!r}")
    expect(common.binding_set(args, group) not in candidate(session), "the candidate still holds the binding")


def check_refused(session, args, group, before):
    """Check that a MAC that the port has already is refused, and leave no trace of it."""
    port = common.binding_path(args, group).rsplit(" ", 1)[0]
    taken = next(line.split()[-1] for line in before if line.startswith(f"set {port} "))
    sets(session, common.binding_set(args, group).replace(args.mac, taken))
    for check in [True, False]:
        try:
            session.commit(check=check)
        except ValueError as error:
            refused = str(error)
        else:
            raise AssertionError("a second address with the same MAC was accepted")
        expect("\nerror: configuration check-out failed" in refused, f"refused with: {refused}")
        expect(f"[edit {port} " in refused and f"duplicate MAC address {taken}" in refused, f"refused with: {refused}")
    session.send_command("rollback 0")
    expect(committed(session) == before, "the refused statement was committed")


def check_commit_check(session, args, group):
    """Check the candidate, which must not commit it."""
    session.commit(check=True)
    expect(common.binding_set(args, group) not in committed(session), "commit check committed the binding")


def check_confirmed(session, args, group):
    """Commit for 5 minutes unless confirmed, and check that it holds and is pending."""
    said = session.commit(confirm=True, confirm_delay=5)
    expect("automatically rolled back in 5 minutes unless confirmed" in said, f"commit said {said!r}")
    expect("\ncommit complete\n" in said, f"commit said {said!r}")
    expect(common.binding_set(args, group) in committed(session), "the binding is not committed")
    newest = history(session)[0]
    expect("via cli" in newest and "commit confirmed, rollback in 5mins" in newest, f"newest commit: {newest}")
    reminder = session.send_command("", expect_string=r"# $")
    expect("# commit confirmed will be rolled back in 5 minutes" in reminder, f"prompt {reminder!r}")


def check_commit(session, args, group):
    """Confirm, and check that the binding stays and no commit is pending."""
    said = session.commit(comment="binding confirmed")
    expect("\ncommit complete\n" in said, f"commit said {said!r}")
    expect(common.binding_set(args, group) in committed(session), "the binding is not committed")
    newest = history(session)[0]
    expect(f"by {args.user} via cli\n    binding confirmed" in newest, f"newest commit: {newest}")
    reminder = session.send_command("", expect_string=r"# $")
    expect("rolled back" not in reminder, f"prompt {reminder!r}")


def check_and_quit(session, args, group):
    """Delete the binding, commit, and check that configuration mode is over and the lock free."""
    sets(session, common.binding_delete(args, group))
    expect(common.shows_binding(difference(session), args, "-"), f"difference: {difference(session)!r}")
    said = session.commit(and_quit=True)
    expect("\ncommit complete\nExiting configuration mode\n" in said, f"commit said {said!r}")
    expect(not session.check_config_mode(), "still in configuration mode")
    expect(common.binding_set(args, group) not in committed(session), "the binding is still committed")
    other = new_session(args)
    lock(other)
    other.disconnect()


def check_rollback_1(session, args, group, before):
    """Bring the deleted binding back with rollback 1, and go back the same way."""
    line = common.binding_set(args, group)
    for there in [True, False]:
        session.config_mode()
        expect(session.send_command("rollback 1").strip() == "load complete", "rollback 1 did not load")
        expect((line in candidate(session)) == there, f"the candidate's binding should be there: {there}")
        session.commit(and_quit=True)
        expect((line in committed(session)) == there, f"the committed binding should be there: {there}")
    expect(committed(session) == before, "the committed configuration differs from the one at the start")


def check_left_behind(session, args, group):
    """Leave edits in the shared candidate, which keep others from the lock until they are thrown away."""
    session.send_config_set([common.binding_set(args, group)], error_pattern=ERRORS)
    expect(not session.check_config_mode(), "still in configuration mode")
    refused = session.send_command("configure exclusive", expect_string=r"> $").strip()
    expect(refused.startswith("error: configuration database modified"), f"refused with: {refused!r}")
    entered = session.config_mode()
    expect("The configuration has been changed but not committed" in entered, f"entered with: {entered!r}")
    session.send_command("rollback 0")
    said = session.send_command("exit", expect_string=r"> $")
    expect("Exiting configuration mode" in said and "uncommitted" not in said, f"exit said {said!r}")


def check_discarded(session, args, group):
    """Leave exclusive configuration mode without a commit, which throws the changes away."""
    lock(session)
    sets(session, common.binding_set(args, group))
    asked = session.send_command("exit configuration-mode", expect_string=r"\(yes\) $")
    expect("Discard uncommitted changes? [yes,no] (yes)" in asked, f"asked: {asked!r}")
    said = session.send_command("yes", expect_string=r"> $")
    expect("warning: discarding uncommitted changes\nload complete\nExiting" in said, f"exit said {said!r}")
    session.config_mode()
    expect(difference(session) == "", f"difference: {difference(session)!r}")
    session.exit_config_mode()


def check_dropped(session, args, group):
    """Drop a connection that holds the lock and edits, and check that both are gone with it."""
    other = new_session(args)
    lock(other)
    sets(other, common.binding_set(args, group))
    other.remote_conn_pre.close()
    # The switch may hear of it a moment later.
    waited_until = time.monotonic() + 10
    while not session.check_config_mode() and time.monotonic() < waited_until:
        session.send_command("configure exclusive", expect_string=r"[>#] $")
    expect(session.check_config_mode(), "the lock outlived its connection")
    expect(difference(session) == "", f"difference: {difference(session)!r}")
    session.exit_config_mode()


def check_unchanged(session, args, group, before):
    """Check that the committed configuration is as it was found; take the binding out if it is not."""
    after = committed(session)
    if after != before:
        sets(session, "rollback 0", common.binding_delete(args, group))
        session.commit(and_quit=True)
    expect(after == before, "the committed configuration differs from the one at the start")


def check_disconnect(session):
    """Log out and check that the connection is over."""
    session.disconnect()
    expect(not session.is_alive(), "the session is still alive")


def main():
    """Run all steps."""
    args = common.arguments(__doc__)
    steps = common.Steps(common.client("netmiko"))
    session = new_session(args)
    if not steps.run("connect", lambda: check_connect(session, args)):
        steps.finish()
    before = committed(session)
    group = group_of(before, args)
    steps.run("show version", lambda: check_version(session))
    steps.run("show configuration", lambda: check_configuration(session, args))
    steps.run("show configuration | display set", lambda: check_set_form(session, before))
    steps.run("configure exclusive", lambda: lock(session))
    steps.run("configure exclusive of a second session refused", lambda: check_second_lock(args))
    steps.run("errors marked", lambda: check_errors(session))
    steps.run("set, show | compare", lambda: check_set(session, args, group))
    steps.run("rollback", lambda: check_rollback(session, args, group))
    steps.run("commit refused", lambda: check_refused(session, args, group, before))
    steps.run("set again", lambda: check_set(session, args, group))
    steps.run("commit check", lambda: check_commit_check(session, args, group))
    steps.run("commit confirmed 5", lambda: check_confirmed(session, args, group))
    steps.run("commit", lambda: check_commit(session, args, group))
    steps.run("delete + commit and-quit", lambda: check_and_quit(session, args, group))
    steps.run("rollback 1 + commit", lambda: check_rollback_1(session, args, group, before))
    steps.run("exit with uncommitted changes", lambda: check_left_behind(session, args, group))
    steps.run("exit discards what the lock covered", lambda: check_discarded(session, args, group))
    steps.run("connection dropped, lock free", lambda: check_dropped(session, args, group))
    steps.run("configuration as found", lambda: check_unchanged(session, args, group, before))
    steps.run("exit", lambda: check_disconnect(session))
    steps.finish()


if __name__ == "__main__":
    main()
