//! From another system's event to a command, by the pointers of the settings. Pure.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::address::one_address;
use super::event::{Event, invalid, missing};
use super::times::{self, rfc3339};
use crate::broker::RequestIds;
use crate::config::HookSettings;
use crate::domain::{Action, Failure, shown};

/// The field of a command that says a whole subnet.
const SUBNET: &str = "subnet";

/// What a delivery asks for, as a producer would have put it.
#[derive(Debug)]
pub(super) struct MappedCommand {
    pub action: Action,
    pub body: Vec<u8>,
    pub ids: RequestIds,
}

/// A delivery whose signature was found right.
#[derive(Debug, Clone, Copy)]
pub(super) struct Delivery<'a> {
    pub body: &'a [u8],
    /// The header `Content-Type`.
    pub content_type: &'a str,
    /// Its own id, where that is signed.
    pub id: Option<&'a str>,
}

/// What a delivery asks for; nothing where the settings give its action no meaning. The form of what is asked is not
/// judged here: that is done as for every producer.
///
/// # Errors
/// A permanent [`Failure`] that names the field and where it was looked for.
pub(super) fn map_event(
    name: &str,
    hook: &HookSettings,
    delivery: Delivery<'_>,
) -> Result<Option<MappedCommand>, Failure> {
    let event = Event::read(delivery.body, delivery.content_type)?;
    let happened = event.needed("action", &hook.action)?;
    let Some(action) = meaning(hook, &happened) else { return Ok(None) };
    let ids = ids(name, hook, &event, delivery)?;
    let body = Value::Object(body(name, action, hook, &event)?).to_string().into_bytes();
    Ok(Some(MappedCommand { action, body, ids }))
}

fn meaning(hook: &HookSettings, happened: &str) -> Option<Action> {
    let lists = [
        (&hook.create, Action::Create),
        (&hook.r#move, Action::Move),
        (&hook.rotate, Action::Rotate),
        (&hook.revoke, Action::Revoke),
    ];
    let means = |values: &[String]| values.iter().any(|value| value == happened);
    lists.into_iter().find(|(values, _)| means(values)).map(|(_, action)| action)
}

/// The idempotency key begins with the hook's name: two systems may count alike. Without an id the delivery's hash is
/// one, so that the same bytes again are the same request.
fn ids(name: &str, hook: &HookSettings, event: &Event, delivery: Delivery<'_>) -> Result<RequestIds, Failure> {
    let id = match (delivery.id, hook.fields.message_id.as_str()) {
        (Some(id), _) => Some(id.to_owned()),
        (None, "") => None,
        (None, pointer) => Some(event.needed("message_id", pointer)?),
    };
    let key = id.clone().unwrap_or_else(|| hex::encode(Sha256::digest(delivery.body)));
    Ok(RequestIds { message_id: Some(format!("{name}:{key}")), correlation_id: id, traceparent: None })
}

fn body(name: &str, action: Action, hook: &HookSettings, event: &Event) -> Result<Map<String, Value>, Failure> {
    let fields = &hook.fields;
    let vlan_name = match action {
        Action::Create | Action::Move => event.text("vlan_name", &fields.vlan_name)?,
        Action::Rotate | Action::Revoke => None,
    };
    let (place, what) = bound(hook, event)?;
    let mut body = Map::from_iter([
        ("server_id".to_owned(), event.number("server_id", &fields.server_id)?.into()),
        (place.to_owned(), what.into()),
        ("requested_by".to_owned(), name.into()),
    ]);
    if action == Action::Move {
        body.insert("to_server_id".to_owned(), event.number("to_server_id", &fields.to_server_id)?.into());
    }
    let optional = [
        ("issued_at", issued_at(name, hook, event)?),
        ("vlan_name", vlan_name),
        ("reference", event.text("reference", &fields.reference)?),
    ];
    body.extend(optional.into_iter().filter_map(|(field, value)| Some((field.to_owned(), Value::from(value?)))));
    Ok(body)
}

/// The field of the command that says what is bound, and what it says: one address, or a subnet.
fn bound(hook: &HookSettings, event: &Event) -> Result<(&'static str, String), Failure> {
    let fields = &hook.fields;
    let (address, subnet) = (event.text("ip_address", &fields.ip_address)?, event.text("subnet", &fields.subnet)?);
    match (address, subnet) {
        (Some(_), Some(_)) => Err(invalid("subnet", "the event has `ip_address` too; expected one of them".to_owned())),
        (None, Some(subnet)) => Ok((SUBNET, subnet)),
        (Some(address), None) => Ok(("ip_address", one_address(&address, &fields.ip_address)?)),
        (None, None) if fields.ip_address.is_empty() => Err(missing("subnet", &fields.subnet)),
        (None, None) => Err(missing("ip_address", &fields.ip_address)),
    }
}

fn issued_at(name: &str, hook: &HookSettings, event: &Event) -> Result<Option<String>, Failure> {
    let pointer = &hook.fields.issued_at;
    let Some(text) = event.text("issued_at", pointer)?.filter(|text| !times::is_none(text)) else { return Ok(None) };
    let told = rfc3339(&text, hook.offset());
    told.map(Some).map_err(|error| {
        let setting =
            if error == times::TimeError::NoZone { format!(" (hooks.{name}.time_zone)") } else { String::new() };
        invalid("issued_at", format!("`{}` at {pointer} {error}{setting}", shown(&text)))
    })
}

#[cfg(test)]
#[path = "mapping_tests.rs"]
mod tests;
