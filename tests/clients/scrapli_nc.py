"""Runs the ordinary configuration workflow of scrapli-netconf against a switch."""
from lxml import etree
from scrapli_netconf.driver import NetconfDriver

import common
from common import expect


def new_session(args):
    """Make a session that is not open yet; edits go to the candidate only."""
    return NetconfDriver(
        host=args.host,
        port=args.port,
        auth_username=args.user,
        auth_password=args.password,
        auth_strict_key=False,
        strict_datastores=True,
        timeout_ops=120,
        transport="ssh2",
    )


def passed(response):
    """Fail on a reply with an error, and give the reply as a tree."""
    response.raise_for_status()
    return etree.fromstring(response.result.encode())


def has_ok(response):
    """Tell whether a reply without errors holds an ok element."""
    return any(common.local_name(element) == "ok" for element in passed(response).iter())


def running(session):
    """Read the running configuration."""
    return passed(session.get_config(source="running"))


def candidate(session):
    """Read the candidate configuration."""
    return passed(session.get_config(source="candidate"))


def body(root):
    """List the names and values of a configuration's elements, without times and layout."""
    found = [element for element in root.iter() if common.local_name(element) == "configuration"][0]
    return [(common.local_name(element), (element.text or "").strip()) for element in found.iter()]


def difference(session):
    """Read the difference between the candidate and the committed configuration."""
    reply = passed(session.rpc('<get-configuration compare="rollback" rollback="0" format="text"/>'))
    return (reply.findtext(".//{*}configuration-output") or "").strip("\n")


def newest_commit(session):
    """Read the newest entry of the commit history as text."""
    history = passed(session.rpc("<get-commit-information/>"))
    return etree.tostring(history.find(".//{*}commit-history"), encoding="unicode")


def edit(args, group, operation=""):
    """Write the config element that adds the binding, or removes it with operation delete."""
    xml = common.binding_xml(args, group)
    if operation:
        xml = xml.replace("<static-ip>", f'<static-ip operation="{operation}">')
    return f"<config><configuration>{xml}</configuration></config>"


def check_open(session):
    """Open the session and check the datastores that the switch announces."""
    session.open()
    expect(session.isalive(), "the session is not alive")
    expect("candidate" in session.writeable_datastores, f"writeable datastores: {session.writeable_datastores}")
    return f"NETCONF {session.netconf_version.value}"


def check_get_config(session):
    """Read running and candidate, which must agree, and through a filter."""
    expect(body(running(session)) == body(candidate(session)), "running and candidate differ")
    wanted = "<configuration><system><host-name/></system></configuration>"
    filtered = passed(session.get_config(source="running", filter_=wanted))
    leaves = [common.local_name(element) for element in filtered.iter() if len(element) == 0]
    expect(leaves == ["host-name"], f"a filter on host-name gave {leaves}")


def check_second_lock(args):
    """Check that a second session is refused the lock, and is told who holds it."""
    other = new_session(args)
    other.open()
    refused = other.lock("candidate")
    other.close()
    expect(refused.failed, "a second session could lock too")
    expect("configuration database locked by" in refused.result, f"refused with: {refused.result}")
    expect("<error-tag>lock-denied<" in refused.result, f"error-tag is not lock-denied: {refused.result}")


def check_edit(session, args, group):
    """Load the binding and check that the candidate alone holds it."""
    expect(has_ok(session.edit_config(config=edit(args, group), target="candidate")), "the reply holds no ok")
    expect(common.shows_binding(difference(session), args), f"difference: {difference(session)!r}")
    expect(common.holds_binding(candidate(session), args), "the candidate does not hold the binding")
    expect(not common.holds_binding(running(session), args), "the running configuration holds the binding already")


def check_discard(session, args):
    """Discard the candidate and check that nothing differs."""
    expect(has_ok(session.discard()), "the reply to discard-changes holds no ok")
    expect(difference(session) == "", f"difference after discard: {difference(session)!r}")
    expect(not common.holds_binding(candidate(session), args), "the candidate still holds the binding")


def check_validate(session, args):
    """Validate the candidate, which must not commit it."""
    expect(has_ok(session.validate("candidate")), "the reply to validate holds no ok")
    expect(not common.holds_binding(running(session), args), "validate committed the binding")


def check_confirmed(session, args):
    """Commit for 120 seconds unless confirmed, and check that it holds and is pending."""
    expect(has_ok(session.commit(confirmed=True, timeout=120)), "the reply to commit holds no ok")
    expect(common.holds_binding(running(session), args), "the binding is not in the running configuration")
    entry = newest_commit(session)
    expect("commit confirmed, rollback in 2mins" in entry, f"newest commit: {entry}")


def check_commit(session, args):
    """Confirm, and check that the binding stays and no commit is pending."""
    expect(has_ok(session.commit()), "the reply to commit holds no ok")
    expect(common.holds_binding(running(session), args), "the binding is not in the running configuration")
    entry = newest_commit(session)
    expect("rollback in" not in entry, f"newest commit: {entry}")


def check_delete(session, args, group):
    """Remove the binding again with edit-config and an ordinary commit."""
    expect(has_ok(session.edit_config(config=edit(args, group, "delete"), target="candidate")), "the reply holds no ok")
    expect(common.shows_binding(difference(session), args, "-"), f"difference: {difference(session)!r}")
    expect(has_ok(session.commit()), "the reply to commit holds no ok")
    expect(not common.holds_binding(running(session), args), "the binding is still committed")


def check_unlock(session, args):
    """Unlock, and check that a second session can lock now."""
    expect(has_ok(session.unlock("candidate")), "the reply to unlock holds no ok")
    other = new_session(args)
    other.open()
    locked = has_ok(other.lock("candidate"))
    other.unlock("candidate")
    other.close()
    expect(locked, "a second session cannot lock")


def check_unchanged(session, args, group, before):
    """Check that the committed configuration is as it was found; take the binding out if it is not."""
    after = body(running(session))
    if after != before:
        session.discard()
        session.edit_config(config=edit(args, group, "delete"), target="candidate")
        session.commit()
    expect(after == before, "the committed configuration differs from the one at the start")


def check_close(session):
    """Close the session and check that it is closed."""
    session.close()
    expect(not session.isalive(), "the session is still alive")


def main():
    """Run all steps."""
    args = common.arguments(__doc__)
    steps = common.Steps(common.client("scrapli-netconf"))
    session = new_session(args)
    if not steps.run("open", lambda: check_open(session)):
        steps.finish()
    before = body(running(session))
    group = common.group_of(running(session), args)
    steps.run("get_config", lambda: check_get_config(session))
    steps.run("lock", lambda: expect(has_ok(session.lock("candidate")), "the reply to lock holds no ok"))
    steps.run("lock of a second session refused", lambda: check_second_lock(args))
    steps.run("edit_config", lambda: check_edit(session, args, group))
    steps.run("discard", lambda: check_discard(session, args))
    steps.run("edit_config again", lambda: check_edit(session, args, group))
    steps.run("validate", lambda: check_validate(session, args))
    steps.run("commit confirmed", lambda: check_confirmed(session, args))
    steps.run("commit", lambda: check_commit(session, args))
    steps.run("delete + commit", lambda: check_delete(session, args, group))
    steps.run("configuration as found", lambda: check_unchanged(session, args, group, before))
    steps.run("unlock", lambda: check_unlock(session, args))
    steps.run("close", lambda: check_close(session))
    steps.finish()


if __name__ == "__main__":
    main()
