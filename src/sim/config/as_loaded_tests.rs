//! What is loaded is printed back as it was written, also where the grammar says nothing about it.

use proptest::prelude::*;

use super::apply::apply;
use super::edit::Edit;
use super::print_text::print_text;
use super::print_xml::print_xml;
use super::read_text::read_text;
use super::read_xml::read_document;
use super::set_lines::{print_set, read_set};
use super::tree::Node;
use crate::sim::estate::base_config;

pub(super) fn tree_of(edits: &[Edit]) -> Node {
    let mut tree = Node::default();
    apply(&mut tree, edits);
    tree
}

pub(super) fn printed(text: &str) -> String {
    let (edits, errors) = read_text(text);
    assert_eq!(errors, [], "{text}");
    print_text(&tree_of(&edits))
}

/// A configuration as switches in a hosting hall have them, with what operators write into it.
const HALL: &str = r#"version 15.1R7.9;
/* Access switch of row 4,
 * see the runbook */
system {
    host-name sw-row4;
    root-authentication {
        encrypted-password "..."; ## SECRET-DATA
        ssh-rsa "ssh-rsa AAAAB3NzaC1yc2EAAAADAQAB root@bastion" from 192.0.2.1; ## SECRET-DATA
    }
    login {
        message "\n\n=== private ===\n\tleave now \\n \"please\"\n";
        user backup {
            uid 2005;
            class read-only;
            authentication {
                ssh-dsa "ssh-dss AAAAB3NzaC1kc3MAAACB ops@example.net"; ## SECRET-DATA
                ssh-rsa "from=\"192.0.2.7\" ssh-rsa AAAAB3NzaC1yc2EAAAABIw backup"; ## SECRET-DATA
            }
        }
    }
    radius-server {
        192.0.2.30 secret "opened"; ## SECRET-DATA
    }
    services {
        ssh {
            root-login deny;
        }
        dhcp {
            traceoptions {
                file dhcp_logfile;
                flag all;
            }
            pool 192.0.2.0/24 {
                address-range low 192.0.2.10 high 192.0.2.99;
            }
        }
    }
    commit synchronize;
    dump-device usb;
    static-host-mapping {
        Collector inet 192.0.2.31;
    }
}
interfaces {
    /* moved on the 3rd */
    /* and back on the 4th */
    ge-0/0/1 {
        description "plain";
        apply-macro rack {
            place 4;
        }
        unit 0 {
            apply-groups-except jumbo;
            family ethernet-switching {
                vlan {
                    members [ LAN lab ];
                }
            }
        }
    }
    # cabled twice
    # on the 5th
    /* both ends */
    ge-0/0/3 {
        apply-groups [ jumbo ];
        hold-time up 2000 down 0;
        unit 0 {
            family ethernet-switching {
                vlan {
                    members [ LAN ];
                }
            }
        }
    }
    /* spare */
    inactive: ge-0/0/2 {
        unit 0 {
            family ethernet-switching;
        }
    }
}
protect: snmp {
    contact "noc@example.net";
    community "hello there" {
        authorization read-only;
    }
    protect: inactive: location hall;
}
policy-options {
    policy-statement $EXPORT {
        term a {
            from {
                policy [ ( A && ( B || C ) ) ( A ) D ];
            }
            then accept;
        }
        term b {
            from policy ( A || B );
            then reject;
        }
    }
}
firewall {
    family ethernet-switching {
        filter guests {
            term web {
                from {
                    destination-address {
                        198.51.100.7/32;
                        198.51.100.8/32 except;
                    }
                    protocol tcp;
                    destination-port [ 80 443 ];
                }
                then {
                    accept;
                    policer web-policer;
                }
            }
            /* until the audit */
            inactive: term block {
                then discard;
            }
            term rest {
                from {
                    inactive: protocol [ 2-5 18-255 ];
                }
                inactive: then policer rest-policer;
            }
        }
    }
    policer web-policer {
        if-exceeding {
            bandwidth-limit 5m;
        }
        then discard;
    }
}
ethernet-switching-options {
    ##
    ## Warning: statement ignored: unsupported platform
    ##
    inactive: storm-control {
        interface all;
    }
    secure-access-port {
        interface ge-0/0/2.0 {
            inactive: mac-limit 2 action log;
        }
        interface ge-0/0/1.0 {
            mac-limit 4 action drop;
            /* the customer's own */
            static-ip 192.0.2.11 vlan LAN mac 02:00:00:00:00:0b;
            inactive: static-ip 192.0.2.12 vlan LAN mac 02:00:00:00:00:0c;
        }
        vlan LAN {
            arp-inspection;
            mac-move-limit 5 action log;
        }
    }
}
vlans {
    LAN {
        vlan-id 7;
        interface {
            ge-0/0/1.0;
            ge-0/0/2.0 {
                mapping {
                    native push;
                }
            }
        }
    }
}
"#;

#[test]
fn a_configuration_with_everything_operators_write_is_printed_as_it_was_loaded() {
    let text = printed(HALL);
    assert!(text == HALL, "{}", similar(HALL, &text));
}

/// The first lines that differ.
fn similar(wanted: &str, got: &str) -> String {
    let different = wanted.lines().zip(got.lines()).enumerate().find(|(_, (a, b))| a != b);
    different.map_or_else(|| "one is longer".to_owned(), |(line, (a, b))| format!("line {}:\n{a}\n{b}", line + 1))
}

#[test]
fn the_other_formats_keep_what_the_configuration_says() {
    let (edits, _) = read_text(HALL);
    let tree = tree_of(&edits);
    let xml = format!("<configuration xmlns:junos=\"urn:x\">{}</configuration>", print_xml(&tree));
    let (edits, errors) = read_document(&xml).unwrap();
    assert_eq!(errors, []);
    assert_eq!(tree_of(&edits), tree);
    let (edits, errors) = read_set(&print_set(&tree));
    assert_eq!(errors, []);
    assert_eq!(print_set(&tree_of(&edits)), print_set(&tree));
}

#[test]
fn what_is_inactive_outside_of_the_grammar_is_the_statement_that_is_marked_and_no_other() {
    let text = "firewall { filter f { inactive: term a { then discard; } term b { then accept; } } }";
    let (edits, _) = read_text(text);
    let lines = print_set(&tree_of(&edits));
    assert!(lines.contains("deactivate firewall filter f term a\n") && lines.matches("deactivate").count() == 1);
}

#[test]
fn what_is_inactive_on_one_line_is_the_whole_statement() {
    for (line, path) in [
        (
            "ethernet-switching-options { secure-access-port { interface i { inactive: static-ip 192.0.2.1 vlan V mac 02:00:00:00:00:01; } } }",
            "ethernet-switching-options secure-access-port interface i static-ip 192.0.2.1",
        ),
        (
            "ethernet-switching-options { secure-access-port { interface i { inactive: mac-limit 2 action drop; } } }",
            "ethernet-switching-options secure-access-port interface i mac-limit",
        ),
        (
            "vlans { V { forwarding-options { dhcp-security { group g { interface i { inactive: static-ip 192.0.2.1 mac 02:00:00:00:00:01; } } } } } }",
            "vlans V forwarding-options dhcp-security group g interface i static-ip 192.0.2.1",
        ),
        (
            "routing-options { static { inactive: route 0.0.0.0/0 next-hop 192.0.2.1; } }",
            "routing-options static route 0.0.0.0/0",
        ),
        ("interfaces { ge-0/0/1 { inactive: mtu 9000; } }", "interfaces ge-0/0/1 mtu"),
    ] {
        let lines = print_set(&tree_of(&read_text(line).0));
        assert!(
            lines.ends_with(&format!("deactivate {path}\n")) && lines.matches("deactivate").count() == 1,
            "{lines}"
        );
    }
}

#[test]
fn a_syntax_error_names_its_line_and_column() {
    for (text, place) in [
        ("system {\n    host-name a;\n    nonsense;\n}\n", "3:5: syntax error at \"nonsense\""),
        ("snmp {\n    location x;\n", "3:1: syntax error at \"}\""),
        ("interfaces {\n    ge-0/0/1 {\n        mtu many;\n    }\n}\n", "3:13: invalid value 'many' at \"many\""),
        ("set snmp location x\nset system host-name y z\n", "2:24: syntax error at \"z\""),
        ("set system host-name\n", "1:21: syntax error at \"host-name\""),
        ("<configuration>\n  <vlans>\n    <vlann/>\n  </vlans>\n</configuration>", "3:5: syntax error at \"vlann\""),
    ] {
        let error = base_config::common(false, 0, Some(("sw.conf", text))).unwrap_err();
        assert_eq!(error.to_string(), format!("sw.conf:{place}"), "{text}");
    }
}

/// A block of statements as a switch prints them, `depth` levels in.
fn block(depth: usize) -> BoxedStrategy<String> {
    let statements = prop::collection::vec((said(), tail(depth)), 1..4);
    let indent = "    ".repeat(depth);
    let print = move |statements: Vec<((String, String), Tail)>| {
        let each = statements.into_iter().enumerate();
        each.map(|(number, ((annotation, mark), tail))| {
            let annotation = if annotation.is_empty() { annotation } else { format!("{indent}/* {annotation} */\n") };
            match tail {
                Tail::Line(words) => format!("{annotation}{indent}{mark}s{number}{words};\n"),
                Tail::Secret(words) => format!("{annotation}{indent}{mark}s{number}{words}; ## SECRET-DATA\n"),
                Tail::Block(words, inner) => {
                    format!("{annotation}{indent}{mark}s{number}{words} {{\n{inner}{indent}}}\n")
                }
                Tail::Each(blocks) => blocks
                    .iter()
                    .enumerate()
                    .map(|(key, inner)| format!("{indent}s{number} k{key} {{\n{inner}{indent}}}\n"))
                    .collect(),
            }
        })
        .collect()
    };
    statements.prop_map(print).boxed()
}

/// What follows a statement's first word.
#[derive(Debug, Clone)]
enum Tail {
    Line(String),
    Secret(String),
    Block(String, String),
    /// Several statements with the same first word.
    Each(Vec<String>),
}

fn said() -> impl Strategy<Value = (String, String)> {
    ("([a-z]{1,6}( [a-z;{}]{1,4})?)?", "(inactive: )?")
}

fn spaced(words: &[String]) -> String {
    words.iter().map(|word| format!(" {word}")).collect()
}

fn tail(depth: usize) -> BoxedStrategy<Tail> {
    let word =
        || prop_oneof!["[a-z0-9./-]{1,6}", "\"[a-z]([a-z ;{}#]{0,4}[a-z])?\"", "\"([a-z]|\\\\\\\\n|\\\\\"){1,4}\""];
    let words = move || prop::collection::vec(word(), 0..3).prop_map(|words| spaced(&words));
    let list = prop::collection::vec("[a-z0-9]{1,4}", 2..4).prop_map(|mut values| {
        values.sort();
        values.dedup();
        if values.len() > 1 { format!(" [{} ]", spaced(&values)) } else { String::new() }
    });
    let flat = prop_oneof![words().prop_map(Tail::Line), list.prop_map(Tail::Line), words().prop_map(Tail::Secret)];
    if depth > 3 {
        return flat.boxed();
    }
    let inner = move || block(depth + 1);
    prop_oneof![
        2 => flat,
        1 => (words(), inner()).prop_map(|(words, inner)| Tail::Block(words, inner)),
        1 => prop::collection::vec(inner(), 2..4).prop_map(Tail::Each),
    ]
    .boxed()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn any_statements_are_printed_as_they_were_loaded(inner in block(2)) {
        let text = format!("firewall {{\n    any {{\n{inner}    }}\n}}\n");
        let (edits, errors) = read_text(&text);
        prop_assert_eq!(errors, vec![]);
        let tree = tree_of(&edits);
        prop_assert_eq!(print_text(&tree), text.clone());
        let xml = format!("<configuration xmlns:junos=\"urn:x\">{}</configuration>", print_xml(&tree));
        let (edits, errors) = read_document(&xml).unwrap();
        prop_assert_eq!(errors, vec![]);
        prop_assert_eq!(print_set(&tree_of(&edits)), print_set(&tree));
        let (edits, _) = read_set(&print_set(&tree));
        prop_assert_eq!(print_set(&tree_of(&edits)), print_set(&tree));
    }
}
