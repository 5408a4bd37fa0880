//! `vmacd create`, `move`, `rotate` and `revoke`: publish the command that any producer would, and wait if asked.

use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::args::{CreateArgs, MoveArgs, RevokeArgs, RotateArgs, Target};
use super::fault::{Fault, Kind};
use super::open::Session;
use super::output::Output;
use super::{dry_run, subnet, suggest};
use crate::broker::{self, Message, RequestIds};
use crate::domain::{Action, AddressError, BindableAddress, Code, Failure, MessageKey};
use crate::store::{CommandOutcome, Store};

/// Time between two looks for the outcome.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(50);

/// `vmacd create`
pub(super) async fn create(session: Session, output: Output, args: CreateArgs) -> Result<(), Fault> {
    let mut body = body(&args.target);
    insert(&mut body, "vlan_name", args.vlan.map(|vlan| vlan.to_string()));
    insert(&mut body, "mac_address", args.mac.map(|mac| mac.to_string()));
    insert(&mut body, "group", args.group.map(|group| group.to_string()));
    insert(&mut body, "pool", args.pool.map(|pool| pool.to_string()));
    request(session, output, Action::Create, args.target, body).await
}

/// `vmacd move`
pub(super) async fn take(session: Session, output: Output, args: MoveArgs) -> Result<(), Fault> {
    let mut body = body(&args.target);
    body.insert("to_server_id".to_owned(), args.to.into());
    insert(&mut body, "vlan_name", args.vlan.map(|vlan| vlan.to_string()));
    request(session, output, Action::Move, args.target, body).await
}

/// `vmacd rotate`
pub(super) async fn rotate(session: Session, output: Output, args: RotateArgs) -> Result<(), Fault> {
    let mut body = body(&args.target);
    insert(&mut body, "mac_address", args.mac.map(|mac| mac.to_string()));
    request(session, output, Action::Rotate, args.target, body).await
}

/// `vmacd revoke`
pub(super) async fn revoke(session: Session, output: Output, args: RevokeArgs) -> Result<(), Fault> {
    let body = body(&args.target);
    request(session, output, Action::Revoke, args.target, body).await
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
    session: Session,
    output: Output,
    action: Action,
    target: Target,
    body: Map<String, Value>,
) -> Result<(), Fault> {
    if target.which.subnet.is_some() {
        return subnet::request(session, output, action, target, body).await;
    }
    refuse_prefix(&target)?;
    let message = message(action, &body, target.message_id.clone())?;
    if target.dry_run {
        return dry_run::run(session, output, vec![message], &target).await;
    }
    let key = message.message_id.clone().unwrap_or_default();
    let store = session.store().await?;
    let message = message.stamped(store.time().await);
    session.broker(&store).await?.publish_command(message.clone()).await?;
    if !target.wait {
        return output.one(&json!({"message_id": key, "status": "accepted"}), || format!("accepted as {key}"));
    }
    let outcome = wait(&store, &MessageKey(key.clone()), target.timeout).await?;
    if let Some(failure) = reused(&store, &MessageKey(key.clone()), &message).await? {
        return Err(Fault { kind: Kind::Input, ..failure.into() });
    }
    report(&store, output, &key, &outcome, target.server).await
}

/// An address with a prefix is refused here, in the words of the command line.
fn refuse_prefix(target: &Target) -> Result<(), Fault> {
    match target.which.ip.as_deref().map(str::parse::<BindableAddress>) {
        Some(Err(AddressError::WithPrefix { text, ip, subnet })) => {
            let hint = format!("for every address of the subnet: --subnet {subnet}");
            Err(Fault::from(AddressError::WithPrefix { text, ip, subnet }).with_hint(hint))
        }
        _ => Ok(()),
    }
}

/// The message as any producer would publish it.
pub(super) fn message(action: Action, body: &Map<String, Value>, id: Option<String>) -> Result<Message, Fault> {
    let ids = RequestIds { message_id: id, ..RequestIds::default() };
    let message = broker::request(action, serde_json::to_vec(body)?, ids);
    message.map_err(|failure| Fault { kind: Kind::Input, ..failure.into() })
}

async fn wait(store: &Store, key: &MessageKey, timeout: Duration) -> Result<CommandOutcome, Fault> {
    let deadline = Instant::now() + timeout;
    loop {
        if let Some(outcome) = store.outcomes(std::slice::from_ref(key)).await?.remove(key) {
            return Ok(outcome);
        }
        if Instant::now() >= deadline {
            let waited = humantime::format_duration(timeout);
            let text = format!("no outcome of {key} after {waited}; it goes on without you");
            let hint = match store.freezes().await?.is_empty() {
                true => "is `vmacd serve` running?",
                false => "some sites are frozen: `vmacd freezes` lists them; is `vmacd serve` running?",
            };
            return Err(Fault::service(anyhow::Error::msg(text)).with_hint(hint));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Why the outcome of the key is not this message's: the key was used before, for another request.
pub(super) async fn reused(store: &Store, key: &MessageKey, message: &Message) -> Result<Option<Failure>, Fault> {
    let is_own = store.command(key).await?.body_hash == message.content_hash();
    let text = || format!("{key} was used before for another request; leave --message-id out, or give another");
    Ok((!is_own).then(|| Failure::new(Code::MessageIdReused, text())))
}

async fn report(store: &Store, output: Output, key: &str, outcome: &CommandOutcome, server: i64) -> Result<(), Fault> {
    if let Some(failure) = outcome.failure() {
        let fault = Fault { kind: Kind::Input, ..Fault::from(failure.clone()) };
        return Err(suggest::for_server(store, fault, &failure, server).await);
    }
    let vmac = match outcome.vmac_id {
        Some(id) => Some(store.vmac(id).await?),
        None => None,
    };
    let data = json!({"message_id": key, "status": outcome.status, "vmac": vmac});
    output.one(&data, || match &vmac {
        Some(vmac) => format!("{} {} {}", outcome.status, vmac.ip_address, vmac.mac_address),
        None => outcome.status.to_string(),
    })
}
