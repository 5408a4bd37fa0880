"""What the client scripts share: arguments, the binding in three formats, and the step report."""
import argparse
import json
import sys
import traceback
from importlib.metadata import version


def arguments(description):
    """Parse the command line that every script takes."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--user", default="vmacd")
    parser.add_argument("--password", default="vmacd")
    parser.add_argument("--dialect", choices=["non-els", "els"], default="non-els")
    parser.add_argument("--interface", required=True)
    parser.add_argument("--vlan", required=True)
    parser.add_argument("--ip", required=True)
    parser.add_argument("--mac", required=True)
    return parser.parse_args()


def client(package):
    """Name a client package together with its installed version."""
    return f"{package} {version(package)}"


def expect(condition, detail):
    """Fail the step when the condition does not hold."""
    if not condition:
        raise AssertionError(detail)


class Steps:
    """Runs steps one by one and prints one JSON object for each."""

    def __init__(self, client_name):
        """Start with no step failed."""
        self.client = client_name
        self.failed = False

    def run(self, step, function):
        """Run one step and print its result; a step passes unless it raises."""
        line = {"client": self.client, "step": step, "result": "ok"}
        try:
            detail = function()
            if isinstance(detail, str):
                line["detail"] = detail
        except Exception as error:
            self.failed = True
            line["result"] = "failed"
            line["detail"] = f"{type(error).__name__}: {error}"
            traceback.print_exc(file=sys.stderr)
        print(json.dumps(line), flush=True)
        return line["result"] == "ok"

    def finish(self):
        """Leave with exit code 1 if any step failed."""
        sys.exit(1 if self.failed else 0)


def local_name(element):
    """Give the name of an element without its namespace."""
    return element.tag.rsplit("}", 1)[-1] if isinstance(element.tag, str) else ""


def children(element, name):
    """List the children that have this name, in any namespace."""
    return [child for child in element if local_name(child) == name]


def text_of(element, name):
    """Give the text of the first child that has this name."""
    found = children(element, name)
    return (found[0].text or "").strip() if found else ""


def named(root, tag, name):
    """List the elements anywhere under root with this tag and this name child."""
    return [element for element in root.iter() if local_name(element) == tag and text_of(element, "name") == name]


def path(element, *tags):
    """List the elements that a chain of child names leads to."""
    found = [element]
    for tag in tags:
        found = [child for parent in found for child in children(parent, tag)]
    return found


def containers(root, args):
    """List (group name, interface element) for the places where the port's bindings are configured."""
    if args.dialect == "non-els":
        tops = [element for element in root.iter() if local_name(element) == "secure-access-port"]
        ports = [port for top in tops for port in children(top, "interface")]
        return [("", port) for port in ports if text_of(port, "name") == args.interface]
    found = []
    for vlan in named(root, "vlan", args.vlan):
        for group in path(vlan, "forwarding-options", "dhcp-security", "group"):
            for port in children(group, "interface"):
                if text_of(port, "name") == args.interface:
                    found.append((text_of(group, "name"), port))
    return found


def group_of(root, args):
    """Read from the configuration which group the port uses (ELS only)."""
    if args.dialect == "non-els":
        return ""
    found = containers(root, args)
    expect(found, f"no dhcp-security group of {args.vlan} holds {args.interface}")
    return found[0][0]


def holds_binding(root, args):
    """Tell whether a configuration in XML holds exactly the binding that was asked for."""
    for _, port in containers(root, args):
        for binding in children(port, "static-ip"):
            same = text_of(binding, "name") == args.ip and text_of(binding, "mac").lower() == args.mac.lower()
            if same and (args.dialect == "els" or text_of(binding, "vlan") == args.vlan):
                return True
    return False


def binding_path(args, group):
    """Give the path of the binding, without its values."""
    if args.dialect == "non-els":
        return f"ethernet-switching-options secure-access-port interface {args.interface} static-ip {args.ip}"
    return (
        f"vlans {args.vlan} forwarding-options dhcp-security group {group} "
        f"interface {args.interface} static-ip {args.ip}"
    )


def binding_values(args):
    """Give the values of the binding, as a statement has them."""
    return f"vlan {args.vlan} mac {args.mac}" if args.dialect == "non-els" else f"mac {args.mac}"


def binding_set(args, group):
    """Write the binding as a set command."""
    return f"set {binding_path(args, group)} {binding_values(args)}"


def binding_delete(args, group):
    """Write the removal of the binding as a delete command."""
    return f"delete {binding_path(args, group)}"


def binding_text(args, group):
    """Write the binding in the text format with braces."""
    statement = f"static-ip {args.ip} {binding_values(args)};"
    if args.dialect == "non-els":
        outer = ["ethernet-switching-options", "secure-access-port", f"interface {args.interface}"]
    else:
        outer = [
            "vlans",
            args.vlan,
            "forwarding-options",
            "dhcp-security",
            f"group {group}",
            f"interface {args.interface}",
        ]
    return " { ".join(outer) + " { " + statement + " }" * len(outer) + "\n"


def binding_xml(args, group):
    """Write the binding in XML, without the configuration element around it."""
    if args.dialect == "non-els":
        return (
            "<ethernet-switching-options><secure-access-port>"
            f"<interface><name>{args.interface}</name>"
            f"<static-ip><name>{args.ip}</name><vlan>{args.vlan}</vlan><mac>{args.mac}</mac></static-ip>"
            "</interface></secure-access-port></ethernet-switching-options>"
        )
    return (
        f"<vlans><vlan><name>{args.vlan}</name><forwarding-options><dhcp-security>"
        f"<group><name>{group}</name><interface><name>{args.interface}</name>"
        f"<static-ip><name>{args.ip}</name><mac>{args.mac}</mac></static-ip>"
        "</interface></group></dhcp-security></forwarding-options></vlan></vlans>"
    )


def shows_binding(diff, args, sign="+"):
    """Tell whether a diff adds (or, with "-", removes) the binding and changes nothing else."""
    changed = [line for line in (diff or "").splitlines() if line[:1] in ("+", "-")]
    joined = " ".join(" ".join(line[1:].split()) for line in changed)
    return (
        bool(changed)
        and all(line[0] == sign for line in changed)
        and joined.count("static-ip ") == 1
        and f"static-ip {args.ip} " in joined
        and args.mac in joined
    )


def without_times(config_text):
    """Drop the comment lines of a text configuration, which tell when it was committed."""
    return "\n".join(line for line in config_text.strip().splitlines() if not line.startswith("##"))
