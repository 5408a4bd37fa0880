//! Lock, unlock, open, close and kill.

use super::outcome::{Answer, OK, reply, unknown};
use crate::sim::device::Refused;
use crate::sim::device::locking::locked_text;
use crate::sim::device::reply_error::RpcError;
use crate::sim::switch::Switch;
use crate::sim::switch::faults::FaultKind;
use crate::sim::time;
use crate::sim::xml::Element;

/// The process id of a holder that is no session of ours.
const GHOST_PID: u32 = 32_260;

/// RFC 6241 section 7.5 answers `ok`, Junos' own form an empty reply.
fn done(operation: &Element) -> Answer {
    reply(if operation.name.ends_with("-configuration") { "" } else { OK })
}

pub(crate) async fn lock(switch: &Switch, pid: u32, operation: &Element) -> Answer {
    only_candidate(operation)?;
    take(switch, pid).await?;
    done(operation)
}

/// Takes the exclusive lock for the session, whoever asks.
pub(crate) async fn take(switch: &Switch, pid: u32) -> Result<(), Refused> {
    injected(switch)?;
    switch.device().nobody_else_holds(pid, time::now())?;
    let _held = switch.database.lock().await;
    switch.device().lock(pid, time::now())
}

fn injected(switch: &Switch) -> Result<(), Vec<RpcError>> {
    let now = time::now();
    let held = |user: &str, terminal: &str, since_ms: i64| {
        RpcError::lock_denied(locked_text(user, terminal, GHOST_PID, now - since_ms, now), GHOST_PID)
    };
    let refusal = if switch.strikes(FaultKind::LockDenied) {
        held("admin", "pts/0", 20_000)
    } else if switch.strikes(FaultKind::GhostLock) {
        held(&switch.login.user, "", 288_000)
    } else if switch.strikes(FaultKind::DirtyCandidate) {
        RpcError::failed("configuration database modified")
    } else {
        return Ok(());
    };
    Err(vec![refusal])
}

pub(crate) async fn unlock(switch: &Switch, pid: u32, operation: &Element) -> Answer {
    only_candidate(operation)?;
    let _held = switch.database.lock().await;
    switch.device().unlock(pid)?;
    not_open_fault(switch)?;
    done(operation)
}

fn not_open_fault(switch: &Switch) -> Result<(), Vec<RpcError>> {
    match switch.strikes(FaultKind::UnlockNotOpen) {
        true => Err(vec![RpcError::failed("Configuration database is not open")]),
        false => Ok(()),
    }
}

/// Junos has no lock of the running configuration.
fn only_candidate(operation: &Element) -> Result<(), Vec<RpcError>> {
    match operation.child("target") {
        Some(target) if !target.has("candidate") => {
            Err(vec![unknown(target.children.first().map_or("target", |other| &other.name))])
        }
        _ => Ok(()),
    }
}

pub(crate) async fn open(switch: &Switch, pid: u32, operation: &Element) -> Answer {
    let _held = switch.database.lock().await;
    if operation.has("exclusive") {
        switch.device().lock(pid, time::now())?;
        return reply("");
    }
    if !operation.has("private") {
        return Err(vec![unknown(operation.children.first().map_or("open-configuration", |other| &other.name))]);
    }
    switch.device().open_private(pid, time::now())?;
    reply(RpcError::warning("uncommitted changes will be discarded on exit").to_xml())
}

pub(crate) async fn close(switch: &Switch, pid: u32) -> Answer {
    let _held = switch.database.lock().await;
    let mut device = switch.device();
    device.close_private(pid).or_else(|refused| device.unlock(pid).map_err(|_| refused))?;
    drop(device);
    not_open_fault(switch)?;
    reply("")
}

pub(crate) async fn kill(switch: &Switch, pid: u32, operation: &Element) -> Answer {
    let target = operation.child_text("session-id").and_then(|text| text.parse().ok()).unwrap_or(0);
    switch.device().kill(pid, target, time::now())?;
    switch.cut(target);
    switch.deadline_changed.notify_one();
    reply(OK)
}
