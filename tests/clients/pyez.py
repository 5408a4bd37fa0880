"""Runs the ordinary configuration workflow of junos-eznc (PyEZ) against a switch."""
from jnpr.junos import Device
from jnpr.junos.exception import LockError, UnlockError
from jnpr.junos.utils.config import Config
from lxml import etree

import common
from common import expect


def committed(dev):
    """Read the committed configuration."""
    return dev.rpc.get_config(options={"database": "committed"})


def committed_text(dev):
    """Read the committed configuration as text, without its times."""
    reply = dev.rpc.get_config(options={"database": "committed", "format": "text"})
    return common.without_times(reply.text)


def newest_commit(dev):
    """Read the newest entry of the commit history as text."""
    history = dev.rpc.get_commit_information()
    return etree.tostring(history.find("commit-history"), encoding="unicode")


def check_facts(dev, args):
    """Check that model, version and host name were gathered and agree with the configuration."""
    facts = dev.facts
    expect(facts["model"], f"model is {facts['model']!r}")
    expect(facts["version"], f"version is {facts['version']!r}")
    expect(facts["hostname"] == committed(dev).findtext("system/host-name"), f"hostname is {facts['hostname']!r}")
    style = "VLAN" if args.dialect == "non-els" else "VLAN_L2NG"
    expect(facts["switch_style"] == style, f"switch_style is {facts['switch_style']!r}, expected {style}")
    return f"{facts['hostname']} {facts['model']} {facts['version']}"


def check_second_lock(args):
    """Check that a second session is refused the lock, and is told who holds it."""
    with Device(host=args.host, port=args.port, user=args.user, password=args.password, gather_facts=False) as other:
        try:
            Config(other).lock()
        except LockError as error:
            expect("configuration database locked by" in error.message, f"refused with: {error.message}")
            return
    raise AssertionError("a second session could lock too")


def check_load(cu, args, payload, form):
    """Load the binding and check that the diff adds it and nothing else."""
    cu.load(payload, format=form, merge=form != "set")
    expect(common.shows_binding(cu.diff(), args), f"diff after load: {cu.diff()!r}")


def check_rollback_0(cu):
    """Throw the candidate away and check that nothing differs."""
    cu.rollback(0)
    expect(cu.diff() is None, f"diff after rollback 0: {cu.diff()!r}")


def check_diff(cu, args):
    """Check the heading and the sign of the diff, also against rollback 0 by number."""
    diff = cu.diff()
    expect(common.shows_binding(diff, args), f"diff: {diff!r}")
    expect(diff.strip().startswith("[edit "), f"diff has no [edit] heading: {diff!r}")
    expect(cu.diff(rb_id=0) == diff, "diff against rollback 0 is another one")
    return diff.strip()


def check_commit_check(dev, cu, args):
    """Check the candidate, which must not commit it."""
    expect(cu.commit_check() is True, "commit_check did not return True")
    expect(not common.holds_binding(committed(dev), args), "the check committed the binding")


def check_confirmed(dev, cu, args):
    """Commit for 2 minutes unless confirmed, and check that it holds and is pending."""
    expect(cu.commit(confirm=2, timeout=120) is True, "commit did not return True")
    expect(common.holds_binding(committed(dev), args), "the binding is not committed")
    entry = newest_commit(dev)
    expect("commit confirmed, rollback in 2mins" in entry, f"newest commit: {entry}")


def check_confirm(dev, cu, args):
    """Confirm, and check that the binding stays and no commit is pending."""
    expect(cu.commit(comment="confirmed by pyez.py", timeout=120) is True, "commit did not return True")
    expect(common.holds_binding(committed(dev), args), "the binding is not committed")
    entry = newest_commit(dev)
    expect("rollback in" not in entry, f"newest commit: {entry}")
    expect("confirmed by pyez.py" in entry, f"newest commit lacks the comment: {entry}")


def check_delete(dev, cu, args, group):
    """Remove the binding again with an ordinary commit."""
    cu.load(common.binding_delete(args, group), format="set")
    expect(common.shows_binding(cu.diff(), args, "-"), f"diff after delete: {cu.diff()!r}")
    cu.commit(timeout=120)
    expect(not common.holds_binding(committed(dev), args), "the binding is still committed")


def check_rollback_1(dev, cu, args):
    """Go back one commit (the binding returns), then back one again (it is gone)."""
    cu.rollback(1)
    expect(common.shows_binding(cu.diff(), args), f"diff after rollback 1: {cu.diff()!r}")
    cu.commit(timeout=120)
    expect(common.holds_binding(committed(dev), args), "rollback 1 did not bring the binding back")
    cu.rollback(1)
    cu.commit(timeout=120)
    expect(not common.holds_binding(committed(dev), args), "the second rollback 1 did not remove the binding")


def check_unlock(cu):
    """Unlock, and check that a second unlock is refused, for nothing is locked any more."""
    expect(cu.unlock() is True, "unlock did not return True")
    try:
        cu.unlock()
    except UnlockError:
        return
    raise AssertionError("a second unlock passed")


def check_unchanged(dev, cu, args, group, before):
    """Check that the committed configuration is as it was found; take the binding out if it is not."""
    after = committed_text(dev)
    if after != before:
        cu.rollback(0)
        cu.load(common.binding_delete(args, group), format="set", ignore_warning=True)
        cu.commit(timeout=120)
    expect(after == before, "the committed configuration differs from the one at the start")


def check_close(dev):
    """Close the session and check that it is closed."""
    dev.close()
    expect(dev.connected is False, "the session is still connected")


def main():
    """Run all steps."""
    args = common.arguments(__doc__)
    steps = common.Steps(common.client("junos-eznc"))
    dev = Device(host=args.host, port=args.port, user=args.user, password=args.password)
    if not steps.run("open", lambda: expect(dev.open().connected, "not connected")):
        steps.finish()
    steps.run("facts", lambda: check_facts(dev, args))
    before = committed_text(dev)
    group = common.group_of(committed(dev), args)
    cu = Config(dev)
    steps.run("lock", lambda: expect(cu.lock() is True, "lock did not return True"))
    steps.run("lock of a second session refused", lambda: check_second_lock(args))
    steps.run("load set", lambda: check_load(cu, args, common.binding_set(args, group), "set"))
    steps.run("rollback 0 after load set", lambda: check_rollback_0(cu))
    steps.run("load text", lambda: check_load(cu, args, common.binding_text(args, group), "text"))
    steps.run("rollback 0 after load text", lambda: check_rollback_0(cu))
    xml = f"<configuration>{common.binding_xml(args, group)}</configuration>"
    steps.run("load xml", lambda: check_load(cu, args, xml, "xml"))
    steps.run("diff", lambda: check_diff(cu, args))
    steps.run("commit_check", lambda: check_commit_check(dev, cu, args))
    steps.run("commit confirmed", lambda: check_confirmed(dev, cu, args))
    steps.run("confirm", lambda: check_confirm(dev, cu, args))
    steps.run("delete + commit", lambda: check_delete(dev, cu, args, group))
    steps.run("rollback 1 + commit", lambda: check_rollback_1(dev, cu, args))
    steps.run("configuration as found", lambda: check_unchanged(dev, cu, args, group, before))
    steps.run("unlock", lambda: check_unlock(cu))
    steps.run("close", lambda: check_close(dev))
    steps.finish()


if __name__ == "__main__":
    main()
