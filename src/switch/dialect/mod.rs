//! The two configuration dialects: how bindings are asked for, read and changed.

mod changed;
mod els;
mod non_els;
mod statement;

use super::netconf::Element;
pub(super) use changed::{entries_filter, ports_filter};

use crate::domain::plan::{Change, Inactivity, PresentBinding};
use crate::domain::{Dialect, InterfaceName, VlanName};

/// The subtree to ask for so that the reply holds every binding.
pub(super) const fn filter(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Els => els::FILTER,
        Dialect::NonEls => non_els::FILTER,
    }
}

/// The bindings in a configuration.
pub(super) fn bindings(dialect: Dialect, configuration: &Element) -> Vec<PresentBinding> {
    match dialect {
        Dialect::Els => els::bindings(configuration),
        Dialect::NonEls => non_els::bindings(configuration),
    }
}

/// The inactive statements above places for bindings, and in ELS the groups that the ports are in.
pub(super) fn places(configuration: &Element) -> (Vec<Inactivity>, Vec<GroupOfPort>) {
    let mut inactive = non_els::inactive(configuration);
    inactive.extend(els::inactive(configuration));
    (inactive, els::groups(configuration))
}

/// A VLAN, a port in it, and the port's `dhcp-security` group.
pub(super) type GroupOfPort = (VlanName, InterfaceName, String);

/// The configuration to load so that the changes are made; XML inside `<configuration>`.
pub(super) fn render(dialect: Dialect, changes: &[Change]) -> String {
    match dialect {
        Dialect::Els => els::render(changes),
        Dialect::NonEls => non_els::render(changes),
    }
}

/// The attribute that makes an inactive statement active (JNPR "Changing the activation state").
const fn active(activates: bool) -> &'static str {
    if activates { " active=\"active\"" } else { "" }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use quick_xml::Reader;
    use quick_xml::events::Event;

    use super::*;
    use crate::domain::{BindableAddress, Mac};

    /// Annotations are elements of their own (`junos:comment`), before whatever they are about.
    #[test]
    fn annotations_at_every_level_change_nothing_of_what_is_read() {
        let plain = [
            (
                Dialect::NonEls,
                "<ethernet-switching-options><secure-access-port><interface><name>ge-0/0/1.0</name><static-ip><name>192.0.2.6</name>\
                <vlan>LAN</vlan><mac>02:00:00:00:00:01</mac></static-ip></interface></secure-access-port></ethernet-switching-options>",
            ),
            (
                Dialect::Els,
                "<vlans><vlan><name>LAN</name><forwarding-options><dhcp-security><group><name>g</name><interface><name>ge-0/0/1.0\
                </name><static-ip><name>192.0.2.6</name><mac>02:00:00:00:00:01</mac></static-ip></interface></group></dhcp-security>\
                </forwarding-options></vlan></vlans>",
            ),
        ];
        for (dialect, xml) in plain {
            let read = |inner: &str| {
                let root = format!("<configuration xmlns:junos=\"urn:x\">{inner}</configuration>");
                bindings(dialect, &Element::read(&root).expect("readable"))
            };
            let starts = [
                "<ethernet",
                "<secure",
                "<vlans>",
                "<vlan>",
                "<forwarding",
                "<dhcp",
                "<group>",
                "<interface>",
                "<static-ip>",
                "<mac>",
            ];
            let comments = "<junos:comment>/* moved; mac 02:00:00:00:00:99 */</junos:comment><junos:comment># 192.0.2.9</junos:comment>";
            let annotated =
                starts.iter().fold(xml.to_owned(), |xml, start| xml.replace(start, &format!("{comments}{start}")));
            assert_eq!(read(&annotated), read(xml));
            assert_eq!(read(xml).len(), 1);
        }
    }

    /// What a strict reader finds: each element that has no other in it, with its text.
    fn leaves(xml: &str) -> Vec<(String, String)> {
        let mut reader = Reader::from_str(xml);
        let (mut leaves, mut open, mut text) = (Vec::new(), Vec::new(), String::new());
        loop {
            match reader.read_event().expect("well-formed XML") {
                Event::Start(start) => {
                    open.push(start.name().as_ref().to_owned());
                    text.clear();
                }
                Event::Text(piece) => text.push_str(&piece),
                Event::GeneralRef(reference) => {
                    let resolved =
                        quick_xml::escape::unescape(&format!("&{};", &*reference)).expect("known").into_owned();
                    text.push_str(&resolved);
                }
                Event::End(_) => {
                    let name = open.pop().expect("it was opened");
                    if !text.is_empty() {
                        leaves.push((name, std::mem::take(&mut text)));
                    }
                }
                Event::Eof => break,
                other => panic!("nothing else is rendered: {other:?}"),
            }
        }
        assert!(open.is_empty(), "everything is closed");
        leaves
    }

    /// Names as they may be, names that try to be more, and anything.
    fn hostile(plain: &'static str) -> impl Strategy<Value = String> {
        let tail = prop_oneof![
            Just("; delete vlans"),
            Just("</name><delete/>"),
            Just("]]>]]>"),
            Just("\n"),
            Just("\u{1b}[2J"),
            Just("\0"),
            Just("&amp;"),
            Just("\u{202e}"),
            Just(" \"x'"),
        ];
        prop_oneof![4 => plain, 2 => (plain, tail).prop_map(|(name, tail)| name + tail), 1 => any::<String>()]
    }

    fn expected(change: &Change) -> Vec<(String, String)> {
        let Change::Set { interface, vlan, ip, mac, .. } = change else { unreachable!("only these are made") };
        [
            ("name", interface.to_string()),
            ("vlan", vlan.to_string()),
            ("name", ip.to_string()),
            ("mac", mac.to_string()),
        ]
        .map(|(name, text)| (name.to_owned(), text))
        .to_vec()
    }

    proptest! {
        #[test]
        fn whatever_the_types_accept_is_rendered_as_exactly_that(
            interface in hostile("(ge|xe)-[0-9]/[0-9]/[0-9]{1,2}(\\.0)?"),
            vlan in hostile("[A-Za-z0-9][A-Za-z0-9._-]{0,10}"),
            ip in prop_oneof![hostile("10\\.0\\.[0-9]{1,2}\\.[1-9]"), hostile("2001:db8(:[0-9a-f]{1,4}){0,4}::[1-9a-f]")],
            mac in hostile("02(:[0-9a-f]{2}){5}"),
            // What a switch called its group: any text that XML can carry.
            group in proptest::option::of("[!-~\u{a1}-\u{2ff}]{1,64}"),
        ) {
            let accepted = (
                interface.parse::<InterfaceName>(), vlan.parse::<VlanName>(),
                ip.parse::<BindableAddress>(), mac.parse::<Mac>(),
            );
            if let (Ok(interface), Ok(vlan), Ok(ip), Ok(mac)) = accepted {
                let change = Change::Set { interface, vlan, ip, mac, group: group.clone(), activates: false };
                let mut wanted = expected(&change);
                wanted.sort();
                let mut read = leaves(&render(Dialect::NonEls, std::slice::from_ref(&change)));
                read.sort();
                prop_assert_eq!(&read, &wanted);
                wanted.iter_mut().filter(|(name, _)| name == "vlan").for_each(|(name, _)| *name = "name".to_owned());
                wanted.push(("name".to_owned(), group.unwrap_or_else(|| "vmacd".to_owned())));
                wanted.sort();
                let mut read = leaves(&render(Dialect::Els, std::slice::from_ref(&change)));
                read.sort();
                prop_assert_eq!(read, wanted);
            }
        }
    }
}
