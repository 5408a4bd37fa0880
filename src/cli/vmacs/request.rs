//! `vmacd create`, `move`, `rotate` and `revoke`: publish the command that any producer would, and wait if asked.

use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::message::{OUTCOME_POLL, message, reused};
use super::wait_reason::{WaitReason, WaitReporter};
use super::{dry_run, ownership, subnet};
use crate::cli::app_env::AppEnv;
use crate::cli::args::{CreateArgs, MoveArgs, RevokeArgs, RotateArgs, Target};
use crate::cli::fault::did_you_mean;
use crate::cli::fault::{Fault, FaultKind};
use crate::cli::terminal::escape::printable;
use crate::cli::terminal::streams::say;
use crate::cli::ui::output::Output;
use crate::domain::{Action, AddressError, BindableAddress, Code, MessageKey};
use crate::store::{CommandOutcome, Outcome, Store};

/// `vmacd create`
pub async fn create(env: AppEnv, output: Output, args: CreateArgs) -> Result<(), Fault> {
    let mut body = body(&args.target);
    insert(&mut body, "vlan_name", args.vlan.map(|vlan| vlan.to_string()));
    insert(&mut body, "mac_address", args.mac.map(|mac| mac.to_string()));
    insert(&mut body, "group", args.group.map(|group| group.to_string()));
    insert(&mut body, "pool", args.pool.map(|pool| pool.to_string()));
    request(env, output, Action::Create, args.target, body).await
}

/// `vmacd move`
pub async fn move_address(env: AppEnv, output: Output, args: MoveArgs) -> Result<(), Fault> {
    let mut body = body(&args.target);
    body.insert("to_server_id".to_owned(), args.to.into());
    insert(&mut body, "vlan_name", args.vlan.map(|vlan| vlan.to_string()));
    request(env, output, Action::Move, args.target, body).await
}

/// `vmacd rotate`
pub async fn rotate(env: AppEnv, output: Output, args: RotateArgs) -> Result<(), Fault> {
    let mut body = body(&args.target);
    insert(&mut body, "mac_address", args.mac.map(|mac| mac.to_string()));
    request(env, output, Action::Rotate, args.target, body).await
}

/// `vmacd revoke`
pub async fn revoke(env: AppEnv, output: Output, args: RevokeArgs) -> Result<(), Fault> {
    let body = body(&args.target);
    request(env, output, Action::Revoke, args.target, body).await
}

fn body(target: &Target) -> Map<String, Value> {
    let mut body = Map::new();
    body.insert("server_id".to_owned(), target.server.into());
    insert(&mut body, "ip_address", target.which.ip.clone());
    insert(&mut body, "subnet", target.which.subnet.clone());
    insert(&mut body, "requested_by", target.requested_by.clone());
    insert(&mut body, "reference", target.reference.clone());
    body
}

fn insert(body: &mut Map<String, Value>, field: &str, value: Option<String>) {
    if let Some(value) = value {
        body.insert(field.to_owned(), value.into());
    }
}

async fn request(
    env: AppEnv,
    output: Output,
    action: Action,
    target: Target,
    body: Map<String, Value>,
) -> Result<(), Fault> {
    let Some(ip) = target.which.ip.clone() else {
        return subnet::request(env, output, action, target, body).await;
    };
    refuse_prefix(&ip)?;
    let message = message(action, &body, target.message_id.clone())?;
    if target.dry_run {
        return dry_run::run(env, output, vec![message], &target).await;
    }
    let key = message.message_id.clone().unwrap_or_default();
    let store = env.store().await?;
    let message = message.stamped(store.time().await);
    env.broker(&store).await?.publish_command(message.clone()).await?;
    if !target.wait {
        return answer_accepted(&store, output, action, (target.server, &ip), &key).await;
    }
    let outcome = wait(&store, output, &MessageKey(key.clone()), target.timeout).await?;
    if let Some(failure) = reused(&store, &MessageKey(key.clone()), &message).await? {
        return Err(Fault { kind: FaultKind::Input, ..failure.into() });
    }
    if action == Action::Revoke
        && outcome.status == Outcome::Revoked
        && found_nothing_to_revoke(&store, &key, &outcome).await?
    {
        return answer_nothing_revoked(&store, output, (target.server, &ip), &key).await;
    }
    report(&store, output, &key, &outcome, target.server).await
}

/// An address with a prefix is refused here, in the words of the command line.
fn refuse_prefix(ip: &str) -> Result<(), Fault> {
    match ip.parse::<BindableAddress>() {
        Err(AddressError::WithPrefix { text, ip, subnet }) => {
            let hint = format!("for every address of the subnet: --subnet {subnet}");
            Err(Fault::from(AddressError::WithPrefix { text, ip, subnet }).with_hint(hint))
        }
        _ => Ok(()),
    }
}

/// Answers a request that is published and not waited for.
async fn answer_accepted(
    store: &Store,
    output: Output,
    action: Action,
    (server, ip): (i64, &str),
    key: &str,
) -> Result<(), Fault> {
    if action == Action::Revoke && !output.json && !ownership::has_vmac(store, server, ip).await? {
        let what = format!("note: server {server} has no virtual MAC on {ip}");
        say(&format!("{}; an older create that has not arrived yet will be ignored too", printable(&what)));
    }
    let next = format!("`vmacd show {ip}` shows the progress");
    output.item(&json!({"message_id": key, "status": "accepted"}), || format!("accepted as {key}\n{next}"))
}

/// True if a revoke found no virtual MAC, or one that had been revoked before it arrived.
async fn found_nothing_to_revoke(store: &Store, key: &str, outcome: &CommandOutcome) -> Result<bool, Fault> {
    let Some(id) = outcome.vmac_id else { return Ok(true) };
    let received_at = store.commands().get(&MessageKey(key.to_owned())).await?.command.received_at;
    Ok(store.vmacs().get(id).await?.revoked_at.is_some_and(|at| at < received_at))
}

/// Answers a revoke that found nothing to do: fine if the address was revoked before, an error if the server never had it.
async fn answer_nothing_revoked(
    store: &Store,
    output: Output,
    (server, ip): (i64, &str),
    key: &str,
) -> Result<(), Fault> {
    let Some(row) = ownership::former_vmac(store, server, ip).await? else {
        let text = format!("server {server} never had a virtual MAC on {ip}; nothing was revoked");
        let hint = format!("`vmacd list --server {server}` shows the addresses that it has");
        return Err(Fault::input_with_code(Code::NotBound.as_str(), text).with_hint(hint));
    };
    let at = row.revoked_at.map(|at| at.format(" at %Y-%m-%d %H:%M:%S UTC").to_string()).unwrap_or_default();
    let data = json!({"message_id": key, "status": "revoked", "vmac": row, "already": true});
    output.item(&data, || format!("{} was already revoked{at}; nothing to do", row.ip_address))
}

async fn wait(store: &Store, output: Output, key: &MessageKey, timeout: Duration) -> Result<CommandOutcome, Fault> {
    let deadline = Instant::now() + timeout;
    let mut reporter = WaitReporter::new(output);
    loop {
        if let Some(outcome) = store.commands().outcomes(std::slice::from_ref(key)).await?.remove(key) {
            return Ok(outcome);
        }
        if Instant::now() >= deadline {
            let WaitReason { text, hint } = WaitReason::find(store, key).await?;
            let waited = humantime::format_duration(timeout);
            let text = format!("still running after {waited}, as {key}. {text}");
            return Err(Fault::service(anyhow::Error::msg(text)).with_hint(hint));
        }
        reporter.report(store, key, None).await;
        tokio::time::sleep(OUTCOME_POLL).await;
    }
}

async fn report(store: &Store, output: Output, key: &str, outcome: &CommandOutcome, server: i64) -> Result<(), Fault> {
    if let Some(failure) = outcome.failure() {
        let fault = Fault { kind: FaultKind::Input, ..Fault::from(failure.clone()) };
        return Err(did_you_mean::for_server(store, fault, &failure, server).await);
    }
    let vmac = match outcome.vmac_id {
        Some(id) => Some(store.vmacs().get(id).await?),
        None => None,
    };
    let data = json!({"message_id": key, "status": outcome.status, "vmac": vmac});
    output.item(&data, || match &vmac {
        Some(vmac) => format!("{} {} {}", outcome.status, vmac.ip_address, vmac.mac_address),
        None => outcome.status.to_string(),
    })
}
