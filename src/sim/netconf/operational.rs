//! Operational RPCs: enough for clients that gather facts, and for the question which dialect the switch speaks.

use super::mac_table::switching_table;
use super::outcome::{Answer, reply, unknown};
use super::security_table;
use crate::sim::config::print_text::print_text;
use crate::sim::config::tree::Node;
use crate::sim::device::history;
use crate::sim::device::model::Model;
use crate::sim::device::reply_error::RpcError;
use crate::sim::switch::Switch;
use crate::sim::switch::faults::FaultKind;
use crate::sim::time;
use crate::sim::xml::{Element, escape};

pub(crate) fn operational(switch: &Switch, operation: &Element) -> Answer {
    let model = &switch.model;
    match operation.name.as_str() {
        "get-commit-information" => commits(switch),
        "get-commit-revision-information" => revision(switch),
        "get-software-information" => reply(per_member(&software(model))),
        "get-chassis-inventory" => reply(inventory(model)),
        "get-route-engine-information" => reply(route_engine(model)),
        "get-virtual-chassis-information" => reply(virtual_chassis(model)),
        "get-system-uptime-information" => time(switch, operation),
        "get-ethernet-switching-table-information" => switching(switch, operation),
        "get-dhcp-snoop-binding" => known(switch, operation, security_table::snooping(switch)),
        "get-dhcp-security-binding" => known(switch, operation, security_table::security(switch)),
        "get-dhcpv6-security-binding" => known(switch, operation, security_table::security_v6(switch)),
        "get-ip-source-guard-information" => known(switch, operation, security_table::source_guard(switch, false)),
        "get-dhcp-security-ip-source-guard" => known(switch, operation, security_table::source_guard(switch, true)),
        "get-interface-information" => reply(interfaces(switch)),
        "get-rollback-information" => rollback(switch, operation),
        "command" => command(switch, operation),
        other => Err(vec![unknown(other)]),
    }
}

fn commits(switch: &Switch) -> Answer {
    let device = switch.device();
    let marked = device.deadline().is_some() && switch.model.marks_pending();
    reply(history::information(device.history.iter(), marked))
}

fn time(switch: &Switch, operation: &Element) -> Answer {
    match switch.strikes(FaultKind::TimeRefused) {
        true => Err(vec![RpcError::permission_denied(&operation.name)]),
        false => reply(per_member(&uptime(switch))),
    }
}

/// Refuses a table that the login class does not show, when asked to.
fn shown(switch: &Switch, operation: &Element) -> Result<(), Vec<RpcError>> {
    match switch.strikes(FaultKind::TableRefused) {
        true => Err(vec![RpcError::permission_denied(&operation.name)]),
        false => Ok(()),
    }
}

/// The summary is what a session asks to find the dialect out; any login may see it.
fn switching(switch: &Switch, operation: &Element) -> Answer {
    let summary = operation.has("summary");
    if !summary {
        shown(switch, operation)?;
    }
    reply(switching_table(switch, summary))
}

/// The answer of a release that has the request.
fn known(switch: &Switch, operation: &Element, body: Option<String>) -> Answer {
    shown(switch, operation)?;
    body.map_or_else(|| Err(vec![unknown(&operation.name)]), reply)
}

fn command(switch: &Switch, operation: &Element) -> Answer {
    let words: Vec<&str> = operation.text.split_whitespace().collect();
    match words.as_slice() {
        ["show", "version", ..] => reply(per_member(&software(&switch.model))),
        ["show", "system", "commit"] => commits(switch),
        ["show", "chassis", "hardware", ..] => reply(inventory(&switch.model)),
        ["show", "system", "uptime"] => reply(per_member(&uptime(switch))),
        ["show", "configuration"] => {
            let text = print_text(&switch.device().committed);
            reply(format!("<configuration-text>\n{}</configuration-text>\n", escape(&text)))
        }
        ["show", other, ..] => Err(vec![unknown(other)]),
        other => Err(vec![unknown(other.first().copied().unwrap_or("command"))]),
    }
}

fn revision(switch: &Switch) -> Answer {
    let device = switch.device();
    let newest =
        device.history.front().map(|commit| history::revision(commit, &switch.model.host_name, device.commits));
    reply(newest.unwrap_or_default())
}

fn rollback(switch: &Switch, operation: &Element) -> Answer {
    let number = operation.child_text("rollback").unwrap_or("0");
    let tree = number.parse().ok().and_then(|number| switch.device().rollback(number));
    let Some(tree) = tree else {
        return Err(vec![unknown(number)]);
    };
    reply(format!(
        "<rollback-information>\n<configuration-information>\n<configuration-output>\n{}</configuration-output>\n</configuration-information>\n</rollback-information>\n",
        escape(&print_text(&tree))
    ))
}

/// Operational replies of an EX come one for each member, also when it is alone.
fn per_member(body: &str) -> String {
    format!(
        "<multi-routing-engine-results>\n<multi-routing-engine-item>\n<re-name>fpc0</re-name>\n{body}</multi-routing-engine-item>\n</multi-routing-engine-results>\n"
    )
}

fn software(model: &Model) -> String {
    let Model { product, release, host_name, .. } = model;
    format!(
        "<software-information>\n<host-name>{}</host-name>\n<product-model>{product}</product-model>\n<product-name>{product}</product-name>\n<junos-version>{release}</junos-version>\n<package-information>\n<name>junos</name>\n<comment>JUNOS EX  Software Suite [{release}]</comment>\n</package-information>\n</software-information>\n",
        escape(host_name),
    )
}

fn inventory(model: &Model) -> String {
    let Model { product, serial, .. } = model;
    let description = product.to_uppercase();
    format!(
        "<chassis-inventory xmlns=\"http://xml.juniper.net/junos/{release}/junos-chassis\">\n<chassis junos:style=\"inventory\">\n<name>Chassis</name>\n<serial-number>{serial}</serial-number>\n<description>{description}</description>\n<chassis-module>\n<name>Routing Engine 0</name>\n<version>REV 05</version>\n<part-number>750-034249</part-number>\n<serial-number>{serial}</serial-number>\n<description>{description}</description>\n</chassis-module>\n</chassis>\n</chassis-inventory>\n",
        release = model.namespace_release(),
    )
}

fn route_engine(model: &Model) -> String {
    format!(
        "<route-engine-information xmlns=\"http://xml.juniper.net/junos/{}/junos-chassis\">\n<route-engine>\n<slot>0</slot>\n<mastership-state>master</mastership-state>\n<status>OK</status>\n<model>{}</model>\n<serial-number>{}</serial-number>\n<up-time junos:seconds=\"864000\">10 days</up-time>\n<last-reboot-reason>0x1:power cycle/failure</last-reboot-reason>\n</route-engine>\n</route-engine-information>\n",
        model.namespace_release(),
        model.product.to_uppercase(),
        model.serial,
    )
}

fn virtual_chassis(model: &Model) -> String {
    format!(
        "<virtual-chassis-information>\n<virtual-chassis-id-information>\n<virtual-chassis-id>8d30.4f5c.3f1e</virtual-chassis-id>\n</virtual-chassis-id-information>\n<member-list>\n<member>\n<member-status>Prsnt</member-status>\n<member-id>0</member-id>\n<fpc-slot>(FPC 0)</fpc-slot>\n<member-serial-number>{}</member-serial-number>\n<member-model>{}</member-model>\n<member-priority>128</member-priority>\n<member-role>Master*</member-role>\n</member>\n</member-list>\n</virtual-chassis-information>\n",
        model.serial, model.product,
    )
}

fn uptime(switch: &Switch) -> String {
    let now = time::now();
    let booted = now - 864_000_000;
    let (committed, user) = match switch.device().history.front() {
        Some(commit) => (commit.at_ms, commit.user.clone()),
        None => (booted, "root".to_owned()),
    };
    let date =
        |at: i64| format!("<date-time junos:seconds=\"{}\">{}</date-time>\n", time::seconds(at), time::shown(at));
    let since = |at: i64| {
        let length = format!(
            "<time-length junos:seconds=\"{}\">{}</time-length>\n",
            time::seconds(now - at),
            time::duration(now - at)
        );
        date(at) + &length
    };
    format!(
        "<system-uptime-information xmlns=\"http://xml.juniper.net/junos/{}/junos\">\n<current-time>\n{}</current-time>\n<time-source> NTP CLOCK </time-source>\n<system-booted-time>\n{}</system-booted-time>\n<protocols-started-time>\n{}</protocols-started-time>\n<last-configured-time>\n{}<user>{}</user>\n</last-configured-time>\n</system-uptime-information>\n",
        switch.model.namespace_release(),
        date(now),
        since(booted),
        since(booted + 90_000),
        since(committed),
        escape(&user),
    )
}

/// The physical interfaces that are configured, all of them up.
fn interfaces(switch: &Switch) -> String {
    let committed = switch.device().committed.clone();
    let configured = committed.child("interfaces").map(|list| list.children.as_slice()).unwrap_or_default();
    let each = |port: &std::sync::Arc<Node>| {
        let description = port.child("description").and_then(|leaf| leaf.value()).unwrap_or_default();
        format!(
            "<physical-interface>\n<name>{}</name>\n<admin-status junos:format=\"Enabled\">up</admin-status>\n<oper-status>up</oper-status>\n<description>{}</description>\n<mtu>1514</mtu>\n<speed>1000mbps</speed>\n<current-physical-address>00:00:5e:00:53:01</current-physical-address>\n<interface-flapped junos:seconds=\"864000\">10 days</interface-flapped>\n</physical-interface>\n",
            escape(&port.word),
            escape(description),
        )
    };
    format!(
        "<interface-information xmlns=\"http://xml.juniper.net/junos/{}/junos-interface\" junos:style=\"normal\">\n{}</interface-information>\n",
        switch.model.namespace_release(),
        configured.iter().map(each).collect::<String>(),
    )
}
