//! The formats agree: what one prints, another reads back as the same tree.

use proptest::prelude::*;

use super::apply::apply;
use super::compare;
use super::print_text::print_text;
use super::print_xml::print_xml;
use super::read_text::read_text;
use super::read_xml::read_document;
use super::set_lines::{parse_any, print_set, read_set};
use super::tree::Node;
use crate::sim::device::model::{Dialect, Model};
use crate::sim::estate::base_config;
use crate::sim::estate::plan;

fn from_text(text: &str) -> Node {
    let (edits, errors) = read_text(text);
    assert_eq!(errors, [], "{text}");
    tree_of(&edits)
}

fn tree_of(edits: &[super::edit::Edit]) -> Node {
    let mut tree = Node::default();
    apply(&mut tree, edits);
    tree
}

fn through_every_format(tree: &Node) {
    let text = print_text(tree);
    let (edits, errors) = read_set(&print_set(&from_text(&text)));
    assert_eq!(errors, []);
    let from_set = tree_of(&edits);
    crate::sim::xml::parse(&format!("<configuration>{}</configuration>", print_xml(&from_set))).unwrap();
    let (edits, errors) = read_document(&format!("<configuration>{}</configuration>", print_xml(&from_set))).unwrap();
    assert_eq!(errors, []);
    let from_xml = tree_of(&edits);
    assert_eq!(print_set(&from_xml), print_set(tree), "{text}");
    assert_eq!(print_text(&from_xml), print_text(&from_set), "what neither says is printed alike");
    assert_eq!(from_text(&text), *tree);
    assert_eq!(print_text(&from_text(&text)), text);
    assert_eq!(compare::compare(tree, &from_xml), "");
}

#[test]
fn the_built_in_configurations_survive_every_format() {
    for (dialect, els) in [(Dialect::NonEls, false), (Dialect::Els, true)] {
        let servers: Vec<_> = (0..50).map(|port| plan::SimServer::at(3, port, 50)).collect();
        let common = base_config::common(els, 50, None).unwrap();
        through_every_format(&base_config::own(&common, &Model::of(dialect, 0, "sw", None), &servers));
    }
}

#[test]
fn the_built_in_configuration_is_printed_as_it_is_written() {
    let written = include_str!("../estate/base.conf");
    assert_eq!(print_text(&from_text(written)), written);
}

#[test]
fn one_statement_stands_on_the_line_of_its_block_and_two_do_not() {
    let text = "system {
    syslog {
        user * {
            any {
                emergency;
                critical;
            }
        }
    }
}
interfaces {
    ge-0/0/1 {
        ether-options {
            802.3ad {
                inactive: ae0;
            }
        }
        unit 0 {
            inactive: family inet {
                address 192.0.2.1/24;
            }
            family inet6;
        }
    }
}
routing-options {
    static {
        route 0.0.0.0/0 {
            next-hop [ 192.0.2.1 192.0.2.2 ];
            retain;
        }
        route 198.51.100.0/24 next-hop [ 192.0.2.1 192.0.2.2 ];
        route 203.0.113.0/24 {
            qualified-next-hop 192.0.2.3 {
                preference 7;
            }
        }
        route 233.252.0.0/24;
    }
}
";
    through_every_format(&from_text(text));
    assert_eq!(print_text(&from_text(text)), text);
}

#[test]
fn a_family_is_compared_as_a_statement_of_its_unit() {
    let inet = "set interfaces vlan unit 9 family inet address 192.0.2.1/24";
    let (old, new) =
        (parse_any(inet).unwrap(), parse_any(&format!("{inet}\n{inet} primary\n{}6 mtu 1500", &inet[..38])).unwrap());
    insta::assert_snapshot!(compare::compare(&old, &new), @r"
    [edit interfaces vlan unit 9]
    +       family inet6 {
    +           mtu 1500;
    +       }
    [edit interfaces vlan unit 9 family inet address 192.0.2.1/24]
    +               primary;
    ");
}

#[test]
fn statements_nobody_modelled_survive() {
    let text = "firewall {
    family inet {
        filter protect {
            term 1 {
                from {
                    source-address {
                        10.0.0.0/8;
                        192.0.2.0/24 except;
                    }
                    protocol [ tcp udp ];
                }
                then {
                    count \"a b\";
                    accept;
                }
            }
        }
    }
}
inactive: event-options {
    policy X {
        then;
    }
}
";
    through_every_format(&from_text(text));
}

#[test]
fn what_xml_spells_out_text_puts_on_one_line() {
    let xml = "<configuration><ethernet-switching-options><secure-access-port><interface><name>ge-0/0/1.0</name><static-ip>\
        <name>10.0.48.6</name><vlan>VLAN.13</vlan><mac>02:00:00:00:00:01</mac></static-ip></interface></secure-access-port>\
        </ethernet-switching-options></configuration>";
    let tree = parse_any(xml).unwrap();
    insta::assert_snapshot!(print_text(&tree), @r"
    ethernet-switching-options {
        secure-access-port {
            interface ge-0/0/1.0 {
                static-ip 10.0.48.6 vlan VLAN.13 mac 02:00:00:00:00:01;
            }
        }
    }
    ");
    insta::assert_snapshot!(print_set(&tree), @"set ethernet-switching-options secure-access-port interface ge-0/0/1.0 static-ip 10.0.48.6 vlan VLAN.13 mac 02:00:00:00:00:01");
    insta::assert_snapshot!(print_xml(&tree), @r"
    <ethernet-switching-options>
        <secure-access-port>
            <interface>
                <name>ge-0/0/1.0</name>
                <static-ip>
                    <name>10.0.48.6</name>
                    <vlan>VLAN.13</vlan>
                    <mac>02:00:00:00:00:01</mac>
                </static-ip>
            </interface>
        </secure-access-port>
    </ethernet-switching-options>
    ");
}

#[test]
fn braces_around_a_binding_are_read_too() {
    let braces = "ethernet-switching-options { secure-access-port { interface ge-0/0/1.0 { static-ip 10.0.0.1 { vlan V; mac 02:00:00:00:00:01; } } } }";
    let line = "ethernet-switching-options { secure-access-port { interface ge-0/0/1.0 { static-ip 10.0.0.1 vlan V mac 02:00:00:00:00:01; } } }";
    assert_eq!(from_text(braces), from_text(line));
}

#[test]
fn wrong_statements_are_named() {
    let wrong = |lines: &str| read_set(lines).1.into_iter().map(|error| error.bad_element).collect::<Vec<_>>();
    assert_eq!(wrong("set system1 host-name x"), ["system1"]);
    assert_eq!(
        wrong("set ethernet-switching-options secure-access-port interface ge-0/0/1.0 static-ipx 10.0.0.1"),
        ["static-ipx"]
    );
    assert_eq!(
        wrong("set vlans V forwarding-options dhcp-security group g interface i static-ip 10.0.0.1 vlan V"),
        ["vlan"]
    );
    assert_eq!(
        wrong("set ethernet-switching-options secure-access-port interface i static-ip 10.0.0.1 mac 02:00"),
        ["02:00"]
    );
    assert_eq!(wrong("set system host-name"), ["host-name"]);
    let (edits, errors) = read_text("snmp { location x; } system1 { host-name y; }");
    assert_eq!(print_set(&tree_of(&edits)), "set snmp location x\n");
    let shown: Vec<_> = errors.iter().map(|error| (error.message.as_str(), error.bad_element.as_str())).collect();
    assert_eq!(shown, [("syntax error", "system1"), ("error recovery ignores input until this point", "}")]);
    assert_eq!(
        read_document("<configuration><vlans><vlann/></vlans></configuration>").unwrap().1[0].bad_element,
        "vlann"
    );
}

#[test]
fn a_difference_reads_like_show_compare() {
    let old = parse_any("set system login message \"old text\"\nset ethernet-switching-options secure-access-port interface ge-0/0/1.0 static-ip 10.0.0.1 vlan V mac 02:00:00:00:00:01").unwrap();
    let new = parse_any("set system login message Login\nset ethernet-switching-options secure-access-port interface ge-0/0/1.0 static-ip 10.0.0.1 vlan V mac 02:00:00:00:00:02\nset ethernet-switching-options secure-access-port interface ge-0/0/2.0 static-ip 10.0.0.2 vlan V mac 02:00:00:00:00:03").unwrap();
    insta::assert_snapshot!(compare::compare(&old, &new), @r#"
    [edit system login]
    -   message "old text";
    +   message Login;
    [edit ethernet-switching-options secure-access-port]
    +   interface ge-0/0/2.0 {
    +       static-ip 10.0.0.2 vlan V mac 02:00:00:00:00:03;
    +   }
    [edit ethernet-switching-options secure-access-port interface ge-0/0/1.0]
    -       static-ip 10.0.0.1 vlan V mac 02:00:00:00:00:01;
    +       static-ip 10.0.0.1 vlan V mac 02:00:00:00:00:02;
    "#);
}

fn word() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z]{1,6}", "[a-z]{1,3} \\PC{0,5}[a-z]", "[0-9./:]{1,8}", "\"[a-z&<>]{0,4}"]
}

fn statement() -> impl Strategy<Value = String> {
    let mac = "02:[0-9a-f]{2}:00:00:00:[0-9a-f]{2}";
    prop_oneof![
        (0u8..4, 0u8..9, mac).prop_map(|(port, ip, mac)| format!(
            "set ethernet-switching-options secure-access-port interface ge-0/0/{port}.0 static-ip 10.0.0.{ip} vlan V mac {mac}"
        )),
        (0u8..4, 0u8..9, mac).prop_map(|(port, ip, mac)| format!(
            "set vlans V{port} forwarding-options dhcp-security group g interface ge-0/0/{port}.0 static-ip 10.0.0.{ip} mac {mac}"
        )),
        (0u8..4, "[1-9a-f](:[0-9a-f]{1,4}){0,3}", mac).prop_map(|(port, tail, mac)| format!(
            "set vlans V{port} forwarding-options dhcp-security group g interface ge-0/0/{port}.0 static-ipv6 2001:DB8::{tail} mac {mac}"
        )),
        word().prop_map(|value| format!("set interfaces ge-0/0/1 description {}", super::lex::quote(&value))),
        word().prop_map(|value| format!("set vlans {} vlan-id 5", super::lex::quote(&value))),
        Just("set system services ssh\ndeactivate system services ssh\nset snmp location x\ndeactivate snmp location".to_owned()),
        (word(), word()).prop_map(|(a, b)| format!("set firewall odd {} {} z", super::lex::quote(&a), super::lex::quote(&b))),
        Just("set interfaces ge-0/0/9 ether-options 802.3ad ae0".to_owned()),
        Just("set interfaces ge-0/0/9 ether-options 802.3ad lacp force-up".to_owned()),
        "(inet|inet6|mpls)".prop_map(|family| format!("set interfaces ge-0/0/9 unit 0 family {family}")),
        "(inet|inet6)".prop_map(|family| format!("set interfaces ge-0/0/9 unit 0 family {family} mtu 9000\ndeactivate interfaces ge-0/0/9 unit 0 family {family}")),
        Just("set interfaces ge-0/0/9 unit 0 family inet\ndeactivate interfaces ge-0/0/9 unit 0 family".to_owned()),
        "(discard|retain|next-hop 192\\.0\\.2\\.[1-3])".prop_map(|how| format!("set routing-options static route 0.0.0.0/0 {how}")),
        (word(), "[a-z]{1,5}").prop_map(|(facility, level)| format!("set system syslog file x {} {level}", super::lex::quote(&facility))),
        word().prop_map(|value| format!("set apply-groups {}", super::lex::quote(&value))),
        ("[a-z]{1,5}", "[a-z]{1,5}", "[0-9]{1,5}").prop_map(|(a, b, c)| format!("set firewall filter {a} term {b} {c}")),
        ("[a-z]{1,2}", "[a-z]{1,2}").prop_map(|(a, b)| format!("set class-of-service {a} {b}\nset class-of-service {a} {b} x")),
    ]
}

#[test]
fn an_ipv6_address_is_kept_in_one_form_whatever_it_was_typed_like() {
    let statement = "vlans V forwarding-options dhcp-security group g interface i static-ipv6";
    let kept = format!("set {statement} 2001:db8::6 mac 02:00:00:00:00:01\n");
    let typed = format!("set {statement} 2001:0DB8:0:0::6 mac 02:00:00:00:00:01");
    assert_eq!(print_set(&parse_any(&typed).unwrap()), kept);
    let xml = "<configuration><vlans><vlan><name>V</name><forwarding-options><dhcp-security><group><name>g</name>\
        <interface><name>i</name><static-ipv6><name>2001:DB8::0006</name><mac>02:00:00:00:00:01</mac></static-ipv6>\
        </interface></group></dhcp-security></forwarding-options></vlan></vlans></configuration>";
    assert_eq!(print_set(&parse_any(xml).unwrap()), kept);
    let text = "vlans { V { forwarding-options { dhcp-security { group g { interface i { static-ipv6 2001:DB8::6 mac 02:00:00:00:00:01; } } } } } }";
    assert_eq!(print_set(&parse_any(text).unwrap()), kept);
    let (edits, errors) = read_set(&format!("{kept}delete {statement} 2001:DB8:0::6"));
    assert!(errors.is_empty() && !print_set(&tree_of(&edits)).contains("static-ipv6"));
}

#[test]
fn each_family_has_its_own_list_and_the_older_dialect_has_none_for_ipv6() {
    let els = "set vlans V forwarding-options dhcp-security group g interface i";
    let old = "set ethernet-switching-options secure-access-port interface i";
    let mac = "mac 02:00:00:00:00:01";
    for (line, bad) in [
        (format!("{els} static-ip 2001:db8::6 {mac}"), "2001:db8::6"),
        (format!("{els} static-ipv6 10.0.0.6 {mac}"), "10.0.0.6"),
        (format!("{els} static-ipv6 2001:db8::6/64 {mac}"), "2001:db8::6/64"),
        (format!("{els} static-ipv6 2001:db8:::6 {mac}"), "2001:db8:::6"),
        (format!("{old} static-ip 2001:db8::6 vlan V {mac}"), "2001:db8::6"),
        (format!("{old} static-ipv6 2001:db8::6 vlan V {mac}"), "static-ipv6"),
    ] {
        assert_eq!(read_set(&line).1.first().map(|error| error.bad_element.as_str()), Some(bad), "{line}");
    }
}

proptest! {
    #[test]
    fn any_tree_survives_every_format(lines in prop::collection::vec(statement(), 1..20)) {
        let (edits, errors) = read_set(&lines.join("\n"));
        prop_assert_eq!(errors, vec![]);
        through_every_format(&tree_of(&edits));
    }
}

#[test]
fn the_manuals_forms_are_printed_as_they_were_loaded() {
    let text = "interfaces {
    ge-0/0/1 {
        apply-groups jumbo;
        apply-macro rack {
            place 4;
        }
        unit 0 {
            apply-groups-except [ jumbo other ];
        }
    }
}
ethernet-switching-options {
    secure-access-port {
        interface ge-0/0/1.0 {
            mac-limit 4 action drop;
            vlan V mac-limit 3;
        }
        interface all {
            mac-limit 8;
        }
        inactive: vlan LAN {
            mac-move-limit 5 action log;
        }
    }
}
switch-options {
    interface ge-0/0/1.0 {
        interface-mac-limit {
            4;
            packet-action drop;
        }
    }
}
";
    assert_eq!(print_text(&from_text(text)), text);
    through_every_format(&from_text(text));
}

#[test]
fn the_manuals_other_forms_are_understood() {
    let port = "ethernet-switching-options { secure-access-port { interface i";
    for (form, same) in [
        ("mac-limit 4 { action drop; }", "mac-limit 4 action drop;"),
        (
            "allowed-mac { 02:00:00:00:00:01; 02:00:00:00:00:02; }",
            "allowed-mac [ 02:00:00:00:00:01 02:00:00:00:00:02 ];",
        ),
        ("mac-limit 4; mac-limit 5;", "mac-limit 5;"),
    ] {
        assert_eq!(from_text(&format!("{port} {{ {form} }} }} }}")), from_text(&format!("{port} {{ {same} }} }} }}")));
    }
}
