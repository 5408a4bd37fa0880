//! `ethernet-switching-options secure-access-port interface I static-ip A vlan V mac M`.
//!
//! The schema (12.1X47) has `static-ip` as a list keyed by the address, `vlan` and `mac` as plain leaves;
//! older pages print braces and a path through `vlan vlan-name`, so both are read.

use std::collections::BTreeMap;

use quick_xml::escape::escape;

use super::statement::Statement;
use crate::domain::InterfaceName;
use crate::domain::plan::{Change, Inactivity, PresentBinding};
use crate::switch::netconf::Element;

pub(super) const FILTER: &str =
    "<ethernet-switching-options><secure-access-port><interface/></secure-access-port></ethernet-switching-options>";

const HIERARCHY: [&str; 2] = ["ethernet-switching-options", "secure-access-port"];

pub(super) fn bindings(configuration: &Element) -> Vec<PresentBinding> {
    let mut bindings = Vec::new();
    let Some((at, ports)) = Statement::default().down(configuration, &HIERARCHY) else { return bindings };
    for interface in ports.all("interface") {
        let at = at.below(interface);
        bindings.extend(interface.all("static-ip").filter_map(|entry| binding(&at, interface, entry)));
    }
    bindings
}

/// An entry that is none of ours to know (IPv6, `interface all`) is left out.
fn binding(at: &Statement, interface: &Element, entry: &Element) -> Option<PresentBinding> {
    let inner = entry.child("vlan");
    let nested = inner.and_then(|vlan| vlan.text_of("vlan-name").or_else(|| vlan.text_of("name")));
    let mac = entry.text_of("mac").or_else(|| inner.and_then(|vlan| vlan.text_of("mac")));
    let (port, ip) = (interface.text_of("name")?.parse().ok()?, entry.text_of("name")?.parse().ok()?);
    let vlan = nested.or_else(|| entry.text_of("vlan")).and_then(|name| name.parse().ok());
    Some(PresentBinding {
        inactive: at.inactive_entry(entry),
        inherited: at.below(entry).inherited,
        ..PresentBinding::new(port, ip, vlan, mac?.parse().ok()?)
    })
}

/// What is inactive of that hierarchy.
pub(super) fn inactive(configuration: &Element) -> Vec<Inactivity> {
    let Some((at, ports)) = Statement::default().down(configuration, &HIERARCHY) else { return Vec::new() };
    let of = |path, interface| Inactivity { path, interface, vlan: None, group: None };
    if let Some(path) = at.inactive {
        return vec![of(path, None)];
    }
    let ignored = ports.all("interface").filter(|interface| interface.is_inactive());
    let named =
        ignored.filter_map(|interface| Some((at.below(interface).path, interface.text_of("name")?.parse().ok()?)));
    named.map(|(path, interface)| of(path, Some(interface))).collect()
}

pub(super) fn render(changes: &[Change]) -> String {
    let mut ports: BTreeMap<&str, String> = BTreeMap::new();
    for change in changes {
        let (interface, entry) = entry(change);
        ports.entry(interface.as_str()).or_default().push_str(&entry);
    }
    let ports =
        ports.iter().map(|(name, entries)| format!("<interface><name>{}</name>{entries}</interface>", escape(*name)));
    format!(
        "<ethernet-switching-options><secure-access-port>{}</secure-access-port></ethernet-switching-options>",
        ports.collect::<String>()
    )
}

fn entry(change: &Change) -> (&InterfaceName, String) {
    match change {
        Change::Set { interface, vlan, ip, mac, activates, .. } => {
            let (vlan, active) = (escape(vlan.as_str()), super::active(*activates));
            (interface, format!("<static-ip{active}><name>{ip}</name><vlan>{vlan}</vlan><mac>{mac}</mac></static-ip>"))
        }
        Change::Remove { interface, ip, .. } => {
            (interface, format!("<static-ip delete=\"delete\"><name>{ip}</name></static-ip>"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::plan::Inactive;

    #[test]
    fn a_set_and_a_removal_are_rendered_by_key() {
        let interface = "ge-0/0/1.0".parse().expect("a name");
        let set = Change::Set {
            interface,
            vlan: "VLAN.13".parse().expect("a name"),
            ip: "10.0.48.6".parse().expect("an address"),
            mac: "02:a1:00:00:00:01".parse().expect("a MAC"),
            group: None,
            activates: false,
        };
        insta::assert_snapshot!(render(&[set]), @"<ethernet-switching-options><secure-access-port><interface><name>ge-0/0/1.0</name><static-ip><name>10.0.48.6</name><vlan>VLAN.13</vlan><mac>02:a1:00:00:00:01</mac></static-ip></interface></secure-access-port></ethernet-switching-options>");
        let remove = Change::Remove {
            interface: "ge-0/0/1.0".parse().expect("a name"),
            vlan: None,
            ip: "10.0.48.6".parse().expect("an address"),
            group: None,
        };
        insta::assert_snapshot!(render(&[remove]), @r#"<ethernet-switching-options><secure-access-port><interface><name>ge-0/0/1.0</name><static-ip delete="delete"><name>10.0.48.6</name></static-ip></interface></secure-access-port></ethernet-switching-options>"#);
    }

    #[test]
    fn what_is_inactive_or_from_a_group_is_told_of_its_binding() {
        let entry = |host: u8, attributes: &str| {
            format!(
                "<static-ip{attributes}><name>10.0.48.{host}</name><vlan>V</vlan><mac>02:00:00:00:00:01</mac></static-ip>"
            )
        };
        let text = format!(
            "<configuration><ethernet-switching-options><secure-access-port><interface><name>ge-0/0/1.0</name>{}{}{}</interface>\
             <interface inactive=\"inactive\"><name>ge-0/0/2.0</name>{}</interface></secure-access-port>\
             </ethernet-switching-options></configuration>",
            entry(1, ""),
            entry(2, " inactive=\"inactive\""),
            entry(3, " junos:group=\"g\""),
            entry(4, ""),
        );
        let configuration = Element::read(&text).expect("readable");
        let read = bindings(&configuration);
        let path = "ethernet-switching-options secure-access-port interface ge-0/0/2.0";
        let why: Vec<_> = read.iter().map(|held| held.inactive.clone()).collect();
        assert_eq!(why, [None, Some(Inactive::Itself), None, Some(Inactive::Under(path.to_owned()))]);
        assert_eq!(read[2].inherited.as_deref(), Some("g"));
        let places = inactive(&configuration);
        assert!(matches!(&places[..], [only] if only.path == path), "{places:?}");
        let mut set = Change::Set {
            interface: read[1].interface.clone(),
            vlan: "V".parse().expect("a name"),
            ip: read[1].ip,
            mac: read[1].mac,
            group: None,
            activates: true,
        };
        assert!(!set.is_held_by(&read), "an inactive binding is not held");
        assert!(render(std::slice::from_ref(&set)).contains("<static-ip active=\"active\"><name>10.0.48.2</name>"));
        if let Change::Set { ip, .. } = &mut set {
            *ip = read[0].ip;
        }
        assert!(set.is_held_by(&read));
    }

    #[test]
    fn bindings_are_read_in_both_printed_forms_and_strangers_are_left_out() {
        let text = "<configuration><ethernet-switching-options><secure-access-port>\
            <interface><name>ge-0/0/1.0</name><mac-limit><limit>4</limit></mac-limit>\
              <static-ip><name>10.0.48.5</name><vlan>VLAN.13</vlan><mac>aa:bb:cc:00:00:01</mac></static-ip>\
              <static-ip><name>10.0.48.6</name><vlan><vlan-name>VLAN.13</vlan-name><mac>02:00:00:00:00:01</mac></vlan></static-ip>\
            </interface><interface><name>all</name><static-ip><name>10.0.48.7</name><mac>02:00:00:00:00:02</mac></static-ip></interface>\
            </secure-access-port></ethernet-switching-options></configuration>";
        let read = bindings(&Element::read(text).expect("readable"));
        let shown: Vec<_> =
            read.iter().map(|b| format!("{} {} {:?}", b.ip, b.mac, b.vlan.as_ref().map(|v| v.as_str()))).collect();
        assert_eq!(
            shown,
            ["10.0.48.5 aa:bb:cc:00:00:01 Some(\"VLAN.13\")", "10.0.48.6 02:00:00:00:00:01 Some(\"VLAN.13\")"]
        );
    }
}
