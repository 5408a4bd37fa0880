//! Checking and committing, and all that can happen around it.

use std::time::Duration;

use super::load::permitted;
use super::outcome::{Answer, OK, Outcome, reply, unknown};
use crate::sim::config::edit::edit_path;
use crate::sim::device::commit::{CONFIRM_DEFAULT_S, CommitRequest};
use crate::sim::device::commit_check::FoundBinding;
use crate::sim::device::reply_error::RpcError;
use crate::sim::switch::Switch;
use crate::sim::switch::faults::FaultKind;
use crate::sim::time;
use crate::sim::xml::Element;

/// RFC 6241 section 8.6: `validate`, which Junos answers like a check.
pub(crate) async fn validate(switch: &Switch, pid: u32) -> Answer {
    let request = CommitRequest { check_only: true, ..CommitRequest::default() };
    run(switch, pid, &request, |_, _| "<commit-results>\n</commit-results>\n<ok/>\n".to_owned()).await
}

/// RFC 6241 section 8.4: `commit`, whose `confirm-timeout` counts seconds.
pub(crate) async fn commit(switch: &Switch, pid: u32, operation: &Element) -> Answer {
    let request = CommitRequest { confirmed_s: confirmed(operation, 1)?, ..CommitRequest::default() };
    run(switch, pid, &request, |_, _| OK.to_owned()).await
}

/// Junos' own form, whose `confirm-timeout` counts minutes.
pub(crate) async fn commit_configuration(switch: &Switch, pid: u32, operation: &Element) -> Answer {
    let request = CommitRequest {
        check_only: operation.has("check"),
        confirmed_s: confirmed(operation, 60)?,
        log: operation.child_text("log").map(str::to_owned),
    };
    run(switch, pid, &request, results).await
}

fn confirmed(operation: &Element, unit_s: u64) -> Result<Option<u64>, Vec<RpcError>> {
    if !operation.has("confirmed") {
        return Ok(None);
    }
    match operation.child_text("confirm-timeout") {
        None => Ok(Some(CONFIRM_DEFAULT_S)),
        Some(text) => match text.parse::<u64>() {
            Ok(count) if count > 0 => Ok(Some(count.saturating_mul(unit_s))),
            _ => Err(vec![unknown(text)]),
        },
    }
}

type Shape = fn(&Switch, &CommitRequest) -> String;

async fn run(switch: &Switch, pid: u32, request: &CommitRequest, shape: Shape) -> Answer {
    match perform(switch, pid, request).await? {
        Ended::Told => reply(decorated(switch, request, shape)),
        Ended::Cut => Ok(Outcome::Cut),
    }
}

/// How a commit that was not refused comes to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It took effect, and the client may know.
    Told,
    /// The connection is cut, before or after it took effect.
    Cut,
}

/// Checks or commits, whoever asks, with all that can happen around it.
pub(crate) async fn perform(switch: &Switch, pid: u32, request: &CommitRequest) -> Result<Ended, Vec<RpcError>> {
    permitted(switch, "commit")?;
    switch.device().nobody_else_holds(pid, time::now())?;
    let _held = switch.database.lock().await;
    let confirms = request.confirmed_s.is_none() && switch.device().deadline().is_some();
    if lost_before(switch, request, confirms) {
        return Ok(Ended::Cut);
    }
    tokio::time::sleep(switch.commit_time()).await;
    injected(switch, request)?;
    change_rejected(switch, pid, request)?;
    switch.device().commit(pid, request, time::now())?;
    switch.deadline_changed.notify_one();
    Ok(if lost_after(switch, request, confirms) { Ended::Cut } else { Ended::Told })
}

fn lost_before(switch: &Switch, request: &CommitRequest, confirms: bool) -> bool {
    (confirms && switch.strikes(FaultKind::ConfirmLost))
        || (!request.check_only && switch.strikes(FaultKind::SessionDroppedBeforeCommit))
}

fn lost_after(switch: &Switch, request: &CommitRequest, confirms: bool) -> bool {
    if confirms && switch.strikes(FaultKind::ConfirmReplyLost) {
        return true;
    }
    if request.check_only {
        return false;
    }
    if let Some(span) = switch.strikes_with(FaultKind::Reboot) {
        switch.reboot(span.unwrap_or(Duration::from_secs(3)));
        return true;
    }
    switch.strikes(FaultKind::ReplyLostAfterCommit)
}

fn injected(switch: &Switch, request: &CommitRequest) -> Result<(), Vec<RpcError>> {
    if switch.strikes(FaultKind::CommitRejected) {
        let first =
            RpcError::invalid("[edit]".into(), "mgd: could not apply the configuration".into(), "configuration");
        return Err(vec![first, RpcError::failed("configuration check-out failed")]);
    }
    if !request.check_only && switch.strikes(FaultKind::RemoteLockFailed) {
        return Err(vec![RpcError::failed("remote lock-configuration failed on fpc1")]);
    }
    Ok(())
}

/// Refuses a commit for the first binding that it would bring, as a daemon does that does not like it.
fn change_rejected(switch: &Switch, pid: u32, request: &CommitRequest) -> Result<(), Vec<RpcError>> {
    if request.check_only || !switch.is_set(FaultKind::ChangeRejected) {
        return Ok(());
    }
    let new = switch.device().new_binding(pid);
    match new.filter(|_| switch.strikes(FaultKind::ChangeRejected)) {
        None => Ok(()),
        Some(FoundBinding { binding, path }) => {
            let message = format!("mgd: could not apply the binding of {}", binding.ip);
            let first = RpcError::invalid(edit_path(&path), message, &binding.ip);
            Err(vec![first, RpcError::failed("configuration check-out failed")])
        }
    }
}

/// The reply of a commit that worked, spoilt where a fault says so.
fn decorated(switch: &Switch, request: &CommitRequest, shape: Shape) -> String {
    if switch.strikes(FaultKind::UnclosedRoutingEngine) {
        return format!("<routing-engine>\n<name>fpc0</name>\n<{}/>\n<ok/>\n", success(request));
    }
    if switch.strikes(FaultKind::StrayDaemonText) {
        return "Non-existant dump device /dev/bo0s1b\n<ok/>\n".to_owned();
    }
    let body = shape(switch, request);
    match switch.strikes(FaultKind::CommitWarning) {
        true => format!("{}{body}", license_warning().to_xml()),
        false => body,
    }
}

fn license_warning() -> RpcError {
    let bad_element = Some("bgp".to_owned());
    RpcError { path: Some("[edit protocols]".into()), bad_element, ..RpcError::warning("mgd: requires 'bgp' license") }
}

fn success(request: &CommitRequest) -> &'static str {
    if request.check_only { "commit-check-success" } else { "commit-success" }
}

fn results(_switch: &Switch, request: &CommitRequest) -> String {
    let output = request.confirmed_s.map_or_else(String::new, |seconds| {
        let minutes = seconds / 60;
        format!("<output>commit confirmed will be automatically rolled back in {minutes} minutes unless confirmed</output>\n")
    });
    let engine = format!("<name>fpc0</name>\n<{}/>\n", success(request));
    format!(
        "<commit-results>\n{output}<routing-engine junos:style=\"normal\">\n{engine}</routing-engine>\n</commit-results>\n<ok/>\n"
    )
}
