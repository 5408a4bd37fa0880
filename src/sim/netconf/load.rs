//! Loading: `load-configuration`, `edit-config`, `discard-changes`.

use super::outcome::{Answer, OK, Outcome, reply, unknown};
use crate::sim::config::edit::{Op, SyntaxError};
use crate::sim::config::read_text::read_text;
use crate::sim::config::read_xml::read_xml;
use crate::sim::config::set_lines::read_set;
use crate::sim::device::load::{Action, Load};
use crate::sim::device::reply_error::{self, RpcError};
use crate::sim::switch::Switch;
use crate::sim::switch::faults::FaultKind;
use crate::sim::time;
use crate::sim::xml::Element;

/// The statement for IPv6, which releases of before it refuse.
const IPV6_LIST: &str = "static-ipv6";

pub(crate) async fn load_configuration(switch: &Switch, pid: u32, operation: &Element) -> Answer {
    permitted(switch, "load-configuration")?;
    let report = match operation.attribute("rollback") {
        Some(number) => rollback(switch, pid, number).await?,
        None => load(switch, pid, &parsed(operation)?).await?,
    };
    let errors = report.iter().filter(|error| !error.warning).count();
    let end = if errors > 0 { format!("<load-error-count>{errors}</load-error-count>\n") } else { OK.to_owned() };
    let body =
        format!("<load-configuration-results>\n{}{end}</load-configuration-results>\n", reply_error::to_xml(&report));
    after_load(switch, body)
}

/// Puts an earlier configuration into the candidate, whoever asks.
pub(crate) async fn rollback(switch: &Switch, pid: u32, number: &str) -> Result<Vec<RpcError>, Vec<RpcError>> {
    let _held = switch.database.lock().await;
    let number = number.parse().map_err(|_| vec![unknown(number)])?;
    switch.device().load_rollback(pid, number, time::now())?;
    Ok(Vec::new())
}

/// Loads into the candidate, whoever asks.
pub(crate) async fn load(switch: &Switch, pid: u32, load: &Load) -> Result<Vec<RpcError>, Vec<RpcError>> {
    let _held = switch.database.lock().await;
    let mut report = switch.device().load(pid, load, time::now())?;
    if switch.strikes(FaultKind::LoadRejected) {
        report.push(unknown("load"));
    }
    if binds_ipv6(load) && switch.strikes(FaultKind::Ipv6Refused) {
        report.push(RpcError::syntax(&SyntaxError::at(IPV6_LIST)));
    }
    Ok(report)
}

fn binds_ipv6(load: &Load) -> bool {
    load.edits.iter().any(|edit| edit.path.iter().any(|word| &**word == IPV6_LIST))
}

fn after_load(switch: &Switch, body: String) -> Answer {
    match switch.strikes(FaultKind::SessionDroppedAfterLoad) {
        true => Ok(Outcome::Cut),
        false => reply(body),
    }
}

/// Refuses what the login class does not allow, when asked to.
pub(crate) fn permitted(switch: &Switch, operation: &str) -> Result<(), Vec<RpcError>> {
    match switch.strikes(FaultKind::PermissionDenied) {
        true => Err(vec![RpcError::permission_denied(operation)]),
        false => Ok(()),
    }
}

fn parsed(operation: &Element) -> Result<Load, Vec<RpcError>> {
    let (action, replaces) = match operation.attribute("action") {
        Some("replace") => (Action::Merge, true),
        None | Some("merge" | "set") => (Action::Merge, false),
        Some("override" | "update") => (Action::Override, false),
        Some(other) => return Err(vec![unknown(other)]),
    };
    let payload = ["configuration", "configuration-text", "configuration-set"];
    let found = operation.children.iter().find(|child| payload.contains(&child.name.as_str()));
    let Some(found) = found else {
        return Err(vec![missing_payload(operation)]);
    };
    let (mut edits, errors) = match found.name.as_str() {
        "configuration-text" => read_text(&found.text),
        "configuration-set" => read_set(&found.text),
        _ => read_xml(found),
    };
    // A merge or an override passes over marks that say to replace.
    edits.retain(|edit| replaces || edit.op != Op::Replace);
    Ok(Load { action, edits, errors, located: found.name != "configuration-set" })
}

fn missing_payload(operation: &Element) -> RpcError {
    RpcError::syntax(&SyntaxError::at(operation.children.first().map_or("load-configuration", |other| &other.name)))
}

pub(crate) async fn edit_config(switch: &Switch, pid: u32, operation: &Element) -> Answer {
    permitted(switch, "edit-config")?;
    if operation.child("target").is_some_and(|target| !target.has("candidate")) {
        return Err(vec![unknown("target")]);
    }
    let action = match operation.child_text("default-operation") {
        Some("replace") => Action::Override,
        _ => Action::Merge,
    };
    let report = load(switch, pid, &edit_payload(operation, action)?).await?;
    let errors: Vec<RpcError> = report.into_iter().collect();
    match errors.iter().any(|error| !error.warning) {
        true => Err(errors),
        false => after_load(switch, format!("{}{OK}", reply_error::to_xml(&errors))),
    }
}

fn edit_payload(operation: &Element, action: Action) -> Result<Load, Vec<RpcError>> {
    let within = |outer: &str, inner: &str| operation.child(outer).and_then(|config| config.child(inner));
    if let Some(found) = within("config", "configuration") {
        let (edits, errors) = read_xml(found);
        return Ok(Load { action, edits, errors, located: true });
    }
    let text = within("config-text", "configuration-text").or_else(|| operation.child("config-text"));
    if let Some(found) = text {
        let (edits, errors) = read_text(&found.text);
        return Ok(Load { action, edits, errors, located: true });
    }
    Err(vec![unknown("config")])
}

pub(crate) async fn discard(switch: &Switch, pid: u32) -> Answer {
    rollback(switch, pid, "0").await?;
    reply(OK)
}
