"""Runs the ordinary configuration workflow of ncclient's junos handler against a switch."""
from lxml import etree
from ncclient import manager
from ncclient.operations import RPCError
from ncclient.xml_ import to_ele

import common
from common import expect


def connect(args):
    """Open a session the way the ncclient manual shows for Junos."""
    return manager.connect(
        host=args.host,
        port=args.port,
        username=args.user,
        password=args.password,
        hostkey_verify=False,
        allow_agent=False,
        look_for_keys=False,
        timeout=120,
        device_params={"name": "junos"},
    )


def tree(reply):
    """Parse a reply into an lxml tree."""
    return etree.fromstring(str(reply).encode())


def running(session):
    """Read the running configuration."""
    return tree(session.get_config(source="running"))


def committed(session):
    """Read the committed configuration with Junos' own request."""
    return tree(session.rpc('<get-configuration database="committed"/>'))


def difference(session):
    """Read the difference between the candidate and the committed configuration."""
    reply = tree(session.compare_configuration())
    return (reply.findtext(".//{*}configuration-output") or "").strip("\n")


def body(root):
    """List the names and values of a configuration's elements, without times and layout."""
    found = [element for element in root.iter() if common.local_name(element) == "configuration"][0]
    return [(common.local_name(element), (element.text or "").strip()) for element in found.iter()]


def has_ok(reply):
    """Tell whether a reply holds an ok element."""
    return any(common.local_name(element) == "ok" for element in tree(reply).iter())


def newest_commit(session):
    """Read the newest entry of the commit history as text."""
    history = tree(session.rpc("<get-commit-information/>"))
    return etree.tostring(history.find(".//{*}commit-history"), encoding="unicode")


def check_connected(session):
    """Check the session number and the capabilities that the workflow needs."""
    expect(session.connected and int(session.session_id) > 0, f"session id {session.session_id}")
    for name in (":candidate", ":confirmed-commit", ":validate"):
        expect(name in session.server_capabilities, f"the switch does not announce {name}")
    return f"session {session.session_id}"


def check_get_config(session):
    """Read the configuration in both ways, which must agree, and through a filter."""
    expect(body(running(session)) == body(committed(session)), "get-config and get-configuration differ")
    wanted = "<configuration><system><host-name/></system></configuration>"
    filtered = tree(session.get_config(source="running", filter=("subtree", wanted)))
    leaves = [common.local_name(element) for element in filtered.iter() if len(element) == 0]
    expect(leaves == ["host-name"], f"a filter on host-name gave {leaves}")


def check_second_lock(session, args):
    """Check that a second session is refused the lock, and is told who holds it."""
    other = connect(args)
    try:
        other.lock("candidate")
    except RPCError as error:
        expect("configuration database locked by" in error.message, f"refused with: {error.message}")
        expect(error.tag == "lock-denied", f"error-tag is {error.tag}, not lock-denied; error-info is {error.info}")
        expect(f"<session-id>{session.session_id}<" in str(error.info), f"error-info is {error.info}")
        return
    finally:
        other.close_session()
    raise AssertionError("a second session could lock too")


def check_load(session, args, **request):
    """Load the binding and check that the difference is it and nothing else."""
    reply = session.load_configuration(**request)
    results = [element for element in tree(reply).iter() if common.local_name(element) == "load-configuration-results"]
    expect(results and has_ok(reply), f"reply to load-configuration: {reply}")
    expect(common.shows_binding(difference(session), args), f"difference: {difference(session)!r}")


def check_compare(session, args):
    """Check the heading of the difference and that the candidate alone holds the binding."""
    text = difference(session)
    expect(text.startswith("[edit ") and common.shows_binding(text, args), f"difference: {text!r}")
    candidate = tree(session.get_config(source="candidate"))
    expect(common.holds_binding(candidate, args), "the candidate does not hold the binding")
    expect(not common.holds_binding(running(session), args), "the running configuration holds the binding already")
    return text


def check_validate(session, args):
    """Validate the candidate, which must not commit it."""
    expect(has_ok(session.validate("candidate")), "the reply to validate holds no ok")
    expect(not common.holds_binding(committed(session), args), "validate committed the binding")


def check_commit_check(session, args):
    """Check the candidate with Junos' own request, which must not commit it."""
    expect(has_ok(session.commit(check=True)), "the reply to commit check holds no ok")
    expect(not common.holds_binding(committed(session), args), "the check committed the binding")


def check_confirmed(session, args):
    """Commit for 120 seconds unless confirmed, and check that it holds and is pending."""
    expect(has_ok(session.commit(confirmed=True, timeout="120")), "the reply to commit holds no ok")
    expect(common.holds_binding(running(session), args), "the binding is not in the running configuration")
    entry = newest_commit(session)
    expect("commit confirmed, rollback in 2mins" in entry, f"newest commit: {entry}")


def check_commit(session, args):
    """Confirm, and check that the binding stays and no commit is pending."""
    expect(has_ok(session.commit(comment="confirmed by ncclient_junos.py")), "the reply to commit holds no ok")
    expect(common.holds_binding(running(session), args), "the binding is not in the running configuration")
    entry = newest_commit(session)
    expect("rollback in" not in entry, f"newest commit: {entry}")
    expect("confirmed by ncclient_junos.py" in entry, f"newest commit lacks the comment: {entry}")


def check_delete(session, args, group):
    """Remove the binding again with an ordinary commit."""
    session.load_configuration(action="set", config=[common.binding_delete(args, group)])
    expect(common.shows_binding(difference(session), args, "-"), f"difference: {difference(session)!r}")
    session.commit()
    expect(not common.holds_binding(running(session), args), "the binding is still committed")


def check_discard(session, args):
    """Discard the candidate and check that nothing differs."""
    expect(has_ok(session.discard_changes()), "the reply to discard-changes holds no ok")
    expect(difference(session) == "", f"difference after discard: {difference(session)!r}")
    candidate = tree(session.get_config(source="candidate"))
    expect(not common.holds_binding(candidate, args), "the candidate still holds the binding")


def check_rollback(session, args):
    """Go back one commit (the binding returns), then back one again (it is gone)."""
    session.rollback(rollback=1)
    expect(common.shows_binding(difference(session), args), f"difference after rollback 1: {difference(session)!r}")
    session.commit()
    expect(common.holds_binding(running(session), args), "rollback 1 did not bring the binding back")
    session.rollback(rollback=1)
    session.commit()
    expect(not common.holds_binding(running(session), args), "the second rollback 1 did not remove the binding")


def check_unlock(session, args):
    """Unlock, and check that a second session can lock now."""
    expect(has_ok(session.unlock("candidate")), "the reply to unlock holds no ok")
    other = connect(args)
    try:
        other.lock("candidate")
        other.unlock("candidate")
    finally:
        other.close_session()


def check_unchanged(session, args, group, before):
    """Check that the committed configuration is as it was found; take the binding out if it is not."""
    after = body(running(session))
    if after != before:
        session.discard_changes()
        session.load_configuration(action="set", config=[common.binding_delete(args, group)])
        session.commit()
    expect(after == before, "the committed configuration differs from the one at the start")


def check_close(session):
    """Close the session and check that it is closed."""
    session.close_session()
    expect(not session.connected, "the session is still connected")


def main():
    """Run all steps."""
    args = common.arguments(__doc__)
    steps = common.Steps(common.client("ncclient"))
    opened = []
    if not steps.run("connect", lambda: opened.append(connect(args)) or check_connected(opened[0])):
        steps.finish()
    session = opened[0]
    before = body(running(session))
    group = common.group_of(running(session), args)
    xml = to_ele(common.binding_xml(args, group))
    text = common.binding_text(args, group)
    command = common.binding_set(args, group)
    steps.run("get-config", lambda: check_get_config(session))
    steps.run("lock", lambda: expect(has_ok(session.lock("candidate")), "the reply to lock holds no ok"))
    steps.run("lock of a second session refused", lambda: check_second_lock(session, args))
    steps.run("load_configuration xml", lambda: check_load(session, args, format="xml", config=xml))
    steps.run("discard_changes after xml", lambda: check_discard(session, args))
    steps.run("load_configuration text", lambda: check_load(session, args, format="text", config=text))
    steps.run("discard_changes after text", lambda: check_discard(session, args))
    steps.run("load_configuration set", lambda: check_load(session, args, action="set", config=[command]))
    steps.run("compare_configuration", lambda: check_compare(session, args))
    steps.run("validate", lambda: check_validate(session, args))
    steps.run("commit check", lambda: check_commit_check(session, args))
    steps.run("commit confirmed", lambda: check_confirmed(session, args))
    steps.run("commit", lambda: check_commit(session, args))
    steps.run("delete + commit", lambda: check_delete(session, args, group))
    steps.run("rollback", lambda: check_rollback(session, args))
    steps.run("configuration as found", lambda: check_unchanged(session, args, group, before))
    steps.run("unlock", lambda: check_unlock(session, args))
    steps.run("close_session", lambda: check_close(session))
    steps.finish()


if __name__ == "__main__":
    main()
