"""Runs the ordinary configuration workflow of NAPALM's junos driver against a switch."""
import re

import napalm

import common
from common import expect


def running(driver):
    """Read the committed configuration as text."""
    return driver.get_config(retrieve="running")["running"]


def port_text(text, args):
    """Cut the statements of the port's bindings out of a text configuration, braces and spacing evened out."""
    words = " ".join(text.split())
    top = "ethernet-switching-options {" if args.dialect == "non-els" else "dhcp-security {"
    words = words[words.find(top) :]
    found = re.search(rf"interface {re.escape(args.interface)} {{((?:(?!interface ).)*)", words)
    return " ".join(found.group(1).replace("{", " ").split()) if found else ""


def text_holds_binding(text, args):
    """Tell whether a text configuration holds the binding that was asked for."""
    return f"static-ip {args.ip} {common.binding_values(args)};" in port_text(text, args)


def group_in_text(text, args):
    """Read from the text configuration which group the port uses (ELS only)."""
    if args.dialect == "non-els":
        return ""
    words = " ".join(text.split())
    words = words[words.find("dhcp-security {") :]
    before = words[: words.find(f"interface {args.interface} {{")]
    return re.findall(r"group (\S+) {", before)[-1]


def check_open(driver):
    """Open the session and check that it lives."""
    driver.open()
    expect(driver.is_alive()["is_alive"], "the session is not alive")


def check_facts(driver, args):
    """Check the facts that the driver must be able to fill."""
    facts = driver.get_facts()
    expect(facts["vendor"] == "Juniper", f"vendor is {facts['vendor']!r}")
    for name in ("model", "os_version", "hostname", "serial_number"):
        expect(facts[name] not in ("", "None"), f"{name} is {facts[name]!r}")
    name = facts["hostname"]
    expect(f"host-name {name};" in running(driver), f"hostname {name} is not the configured one")
    expect(facts["uptime"] > 0, f"uptime is {facts['uptime']}")
    port = args.interface.split(".")[0]
    expect(port in facts["interface_list"], f"{port} is not in interface_list")
    return f"{facts['hostname']} {facts['model']} {facts['os_version']}"


def check_load(driver, args, payload):
    """Load the binding and check that the candidate differs by it and nothing else."""
    driver.load_merge_candidate(config=payload)
    diff = driver.compare_config()
    expect(common.shows_binding(diff, args), f"diff after load: {diff!r}")


def check_compare(driver, args):
    """Check that the diff agrees with the candidate and the running configuration."""
    diff = driver.compare_config()
    expect(diff.startswith("[edit ") and common.shows_binding(diff, args), f"diff: {diff!r}")
    both = driver.get_config()
    expect(text_holds_binding(both["candidate"], args), "the candidate does not hold the binding")
    expect(not text_holds_binding(both["running"], args), "the running configuration holds the binding already")
    return diff


def check_discard(driver, args):
    """Discard the candidate and check that nothing differs."""
    driver.discard_config()
    expect(driver.compare_config() == "", f"diff after discard: {driver.compare_config()!r}")
    candidate = driver.get_config(retrieve="candidate")["candidate"]
    expect(not text_holds_binding(candidate, args), "the candidate still holds the binding")


def check_commit(driver, args):
    """Commit for 120 seconds unless confirmed and check that it holds."""
    driver.commit_config(revert_in=120)
    expect(text_holds_binding(running(driver), args), "the binding is not committed")
    expect(driver.compare_config() == "", "the candidate still differs after the commit")


def check_pending(driver):
    """Check that the commit is pending, with a sensible time left."""
    expect(driver.has_pending_commit() is True, "has_pending_commit is not True")
    left = list(driver._get_pending_commits().values())
    expect(len(left) == 1 and 0 < left[0] <= 120, f"seconds left: {left}")
    return f"{left[0]} s left"


def check_confirm(driver, args):
    """Confirm, and check that nothing is pending and the binding stays."""
    driver.confirm_commit()
    expect(driver.has_pending_commit() is False, "has_pending_commit is still True")
    expect(text_holds_binding(running(driver), args), "the binding is not committed")


def check_delete(driver, args, group):
    """Remove the binding again with an ordinary commit."""
    driver.load_merge_candidate(config=common.binding_delete(args, group))
    diff = driver.compare_config()
    expect(common.shows_binding(diff, args, "-"), f"diff after delete: {diff!r}")
    driver.commit_config(message="removed by napalm_junos.py")
    expect(not text_holds_binding(running(driver), args), "the binding is still committed")
    expect(driver.has_pending_commit() is False, "an ordinary commit with a message counts as pending")


def check_rollback(driver, args):
    """Roll back (the binding returns), then roll back again (it is gone)."""
    driver.rollback()
    expect(text_holds_binding(running(driver), args), "the rollback did not bring the binding back")
    driver.rollback()
    expect(not text_holds_binding(running(driver), args), "the second rollback did not remove the binding")


def check_get_config(driver):
    """Read running and candidate, which must agree now, in text and set format."""
    for form, start in (("text", "system {"), ("set", "set system host-name ")):
        both = driver.get_config(format=form)
        expect(start in both["running"], f"{form}: the running configuration lacks {start!r}")
        same = common.without_times(both["running"]) == common.without_times(both["candidate"])
        expect(same, f"{form}: running and candidate differ")
    expect(driver.get_config(retrieve="running")["candidate"] == "", "candidate returned though not asked for")


def check_mac_table(driver):
    """Check that there are entries in the MAC table, and that each has an address, an interface and a VLAN."""
    table = driver.get_mac_address_table()
    expect(table, "the MAC table is empty")
    for entry in table:
        expect(re.fullmatch(r"([0-9A-F]{2}:){5}[0-9A-F]{2}", entry["mac"]), f"entry {entry}")
        expect(entry["interface"] and isinstance(entry["vlan"], int), f"entry {entry}")
    return f"{len(table)} entries"


def check_unchanged(driver, args, group, before):
    """Check that the committed configuration is as it was found; take the binding out if it is not."""
    after = common.without_times(running(driver))
    if after != before:
        driver.discard_config()
        driver.load_merge_candidate(config=common.binding_delete(args, group))
        driver.commit_config()
    expect(after == before, "the committed configuration differs from the one at the start")


def check_close(driver):
    """Close the session and check that it is closed."""
    driver.close()
    expect(not driver.is_alive()["is_alive"], "the session is still alive")


def main():
    """Run all steps."""
    args = common.arguments(__doc__)
    steps = common.Steps(common.client("napalm"))
    driver_class = napalm.get_network_driver("junos")
    driver = driver_class(args.host, args.user, args.password, timeout=120, optional_args={"port": args.port})
    if not steps.run("open", lambda: check_open(driver)):
        steps.finish()
    before = common.without_times(running(driver))
    group = group_in_text(before, args)
    steps.run("get_facts", lambda: check_facts(driver, args))
    steps.run("load_merge_candidate text", lambda: check_load(driver, args, common.binding_text(args, group)))
    steps.run("compare_config", lambda: check_compare(driver, args))
    steps.run("discard_config", lambda: check_discard(driver, args))
    xml = f"<configuration>{common.binding_xml(args, group)}</configuration>"
    steps.run("load_merge_candidate xml", lambda: check_load(driver, args, xml))
    steps.run("discard_config after xml", lambda: check_discard(driver, args))
    steps.run("load_merge_candidate set", lambda: check_load(driver, args, common.binding_set(args, group)))
    steps.run("commit_config revert_in=120", lambda: check_commit(driver, args))
    steps.run("has_pending_commit", lambda: check_pending(driver))
    steps.run("confirm_commit", lambda: check_confirm(driver, args))
    steps.run("delete + commit_config", lambda: check_delete(driver, args, group))
    steps.run("rollback", lambda: check_rollback(driver, args))
    steps.run("get_config", lambda: check_get_config(driver))
    steps.run("get_mac_address_table", lambda: check_mac_table(driver))
    steps.run("configuration as found", lambda: check_unchanged(driver, args, group, before))
    steps.run("close", lambda: check_close(driver))
    steps.finish()


if __name__ == "__main__":
    main()
