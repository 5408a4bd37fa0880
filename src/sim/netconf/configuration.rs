//! Reading the configuration.

use super::outcome::{Answer, Outcome, reply, unknown};
use crate::sim::config::compare::compare;
use crate::sim::config::filter::select;
use crate::sim::config::inherit::inherited;
use crate::sim::config::print_text::print_text;
use crate::sim::config::print_xml::print_xml;
use crate::sim::config::set_lines::print_set;
use crate::sim::config::tree::Node;
use crate::sim::device::Device;
use crate::sim::device::reply_error::RpcError;
use crate::sim::switch::Switch;
use crate::sim::switch::faults::FaultKind;
use crate::sim::time;
use crate::sim::xml::{Element, escape};

/// Which configuration is shown, and since when it is so.
pub(crate) struct Shown {
    pub tree: Node,
    /// Attributes of the `configuration` element.
    attributes: String,
    /// The comment above the text form.
    pub header: String,
}

pub(crate) async fn get_configuration(switch: &Switch, pid: u32, operation: &Element) -> Answer {
    let _held = switch.database.lock().await;
    if operation.attribute("compare").is_some() {
        return difference(switch, pid, operation);
    }
    let database = operation.attribute("database").unwrap_or("candidate");
    let mut shown = match database {
        "committed" => committed(&switch.device()),
        "candidate" => candidate(&switch.device(), pid),
        other => return Err(vec![unknown(other)]),
    };
    if operation.attribute("inherit").is_some() {
        shown.tree = inherited(&shown.tree);
    }
    if let Some(filter) = operation.child("configuration") {
        shown.tree = select(&shown.tree, filter);
    }
    sent(switch, rendered(switch, &shown, operation.attribute("format").unwrap_or("xml"))?)
}

fn sent(switch: &Switch, body: String) -> Answer {
    match switch.strikes(FaultKind::TruncatedConfiguration) {
        true => Ok(Outcome::Truncated(body)),
        false => reply(body),
    }
}

/// The committed configuration.
pub(crate) fn committed(device: &Device) -> Shown {
    let (at, user) = device.history.front().map_or((0, "root"), |commit| (commit.at_ms, commit.user.as_str()));
    let (seconds, local) = (time::seconds(at), time::shown(at));
    Shown {
        tree: (*device.committed).clone(),
        attributes: format!(
            " junos:commit-seconds=\"{seconds}\" junos:commit-localtime=\"{local}\" junos:commit-user=\"{}\"",
            escape(user)
        ),
        header: format!("## Last commit: {local} by {user}\n"),
    }
}

/// The configuration that the session edits.
pub(crate) fn candidate(device: &Device, pid: u32) -> Shown {
    let tree = device.candidate_of(pid);
    if *tree == *device.committed {
        return committed(device);
    }
    let (seconds, local) = (time::seconds(device.changed_at), time::shown(device.changed_at));
    Shown {
        tree: (*tree).clone(),
        attributes: format!(" junos:changed-seconds=\"{seconds}\" junos:changed-localtime=\"{local}\""),
        header: format!("## Last changed: {local}\n"),
    }
}

fn rendered(switch: &Switch, shown: &Shown, format: &str) -> Result<String, Vec<RpcError>> {
    let braces = || {
        let text = print_text(&shown.tree);
        if switch.strikes(FaultKind::UnescapedText) { text } else { escape(&text) }
    };
    let text = match format {
        "text" => format!(
            "<configuration-text xmlns=\"http://xml.juniper.net/xnm/1.1/xnm\">\n{}{}</configuration-text>\n",
            shown.header,
            braces()
        ),
        "set" => format!("<configuration-set>\n{}</configuration-set>\n", escape(&print_set(&shown.tree))),
        // Releases that do not know a format answer with XML.
        _ => format!("<configuration{}>\n{}</configuration>\n", shown.attributes, print_xml(&shown.tree)),
    };
    Ok(text)
}

fn difference(switch: &Switch, pid: u32, operation: &Element) -> Answer {
    let number = operation.attribute("rollback").unwrap_or("0");
    let device = switch.device();
    let old = number.parse().ok().and_then(|number| device.rollback(number));
    let Some(old) = old else {
        return Err(vec![unknown(number)]);
    };
    let text = escape(&compare(&old, &device.candidate_of(pid)));
    reply(format!(
        "<configuration-information>\n<configuration-output>\n{text}</configuration-output>\n</configuration-information>\n"
    ))
}

/// RFC 6241 section 7.1.
pub(crate) async fn get_config(switch: &Switch, pid: u32, operation: &Element) -> Answer {
    let _held = switch.database.lock().await;
    let source = operation.child("source").and_then(|source| source.children.first());
    let mut shown = match source.map(|source| source.name.as_str()) {
        Some("running") => committed(&switch.device()),
        Some("candidate") => candidate(&switch.device(), pid),
        other => return Err(vec![unknown(other.unwrap_or("source"))]),
    };
    if let Some(filter) = operation.child("filter").and_then(|filter| filter.child("configuration")) {
        shown.tree = select(&shown.tree, filter);
    }
    sent(
        switch,
        format!(
            "<data>\n<configuration xmlns=\"http://xml.juniper.net/xnm/1.1/xnm\"{}>\n{}</configuration>\n</data>\n",
            shown.attributes,
            print_xml(&shown.tree)
        ),
    )
}
