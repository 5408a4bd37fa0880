//! `inherit`: the configuration with what groups and interface ranges give written where it belongs, and without the
//! statements that say so.

use super::groups::with_groups;
use super::interface_range;
use super::tree::Node;

/// `tree` with everything spelled out.
pub(crate) fn inherited(tree: &Node) -> Node {
    let mut tree = with_groups(tree);
    interface_range::spell_out(&mut tree);
    tree
}

#[cfg(test)]
mod tests {
    use super::super::print_text::print_text;
    use super::super::set_lines::{parse_any, print_set};
    use super::*;

    fn spelled_out(lines: &str) -> String {
        print_set(&inherited(&parse_any(lines).unwrap()))
    }

    #[test]
    fn what_the_configuration_says_itself_outranks_its_groups() {
        let lines =
            "set groups G system host-name g\nset groups G system domain-name g\nset groups H system domain-name h
set groups H system time-zone UTC\nset apply-groups [ G H ]\nset system host-name own";
        assert_eq!(
            spelled_out(lines),
            "set system host-name own\nset system domain-name g\nset system time-zone UTC\n"
        );
        assert_eq!(
            spelled_out(&format!("{lines}\nset system apply-groups H")).lines().nth(1),
            Some("set system domain-name h"),
            "further in outranks further out"
        );
    }

    #[test]
    fn a_wildcard_gives_to_what_is_there_and_an_exception_takes_nothing() {
        let text = "groups {
    jumbo {
        interfaces {
            <ge-*> {
                mtu 9192;
                unit <*> {
                    family ethernet-switching {
                        vlan {
                            members LAN;
                        }
                    }
                }
            }
        }
    }
}
apply-groups jumbo;
interfaces {
    ge-0/0/1 {
        unit 0 {
            family ethernet-switching;
        }
    }
    ge-0/0/2 {
        apply-groups-except jumbo;
        disable;
    }
    ge-0/0/3 {
        mtu 1514;
    }
    inactive: ge-0/0/4 {
        disable;
    }
    xe-0/1/0 {
        disable;
    }
}
";
        insta::assert_snapshot!(print_text(&inherited(&parse_any(text).unwrap())), @r"
        interfaces {
            ge-0/0/1 {
                unit 0 {
                    family ethernet-switching {
                        vlan {
                            members LAN;
                        }
                    }
                }
                mtu 9192;
            }
            ge-0/0/2 {
                disable;
            }
            ge-0/0/3 {
                mtu 1514;
            }
            inactive: ge-0/0/4 {
                disable;
            }
            xe-0/1/0 {
                disable;
            }
        }
        ");
        assert_eq!(print_text(&parse_any(text).unwrap()), text, "without it they stand as they are");
    }

    #[test]
    fn a_group_is_applied_where_it_is_named_and_lists_grow() {
        let lines = "set groups G interfaces <*> unit 0 family ethernet-switching vlan members B
set interfaces ge-0/0/1 apply-groups G\nset interfaces ge-0/0/1 unit 0 family ethernet-switching vlan members A
set interfaces ge-0/0/2 unit 0 family ethernet-switching vlan members A";
        let member = |port: &str, vlan: &str| {
            format!("set interfaces ge-0/0/{port} unit 0 family ethernet-switching vlan members {vlan}\n")
        };
        assert_eq!(spelled_out(lines), member("1", "A") + &member("1", "B") + &member("2", "A"));
        let limit = "set groups G ethernet-switching-options secure-access-port interface <*> mac-limit 2
set apply-groups G\nset ethernet-switching-options secure-access-port interface i mac-limit 4\n";
        assert!(spelled_out(limit).ends_with("interface i mac-limit 4\n"));
    }
}
