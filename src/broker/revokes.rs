//! The revokes of what needs a switch or a server that is to leave the inventory.

use serde_json::json;

use super::message::Message;
use super::request::{RequestIds, request};
use crate::domain::{Action, Failure};
use crate::store::InventoryNeeds;

/// Who asks for them, where nobody else is named.
const ASKED_BY: &str = "inventory remove";

/// One revoke for each address and server, as any producer would publish it.
///
/// # Errors
/// What a worker would refuse.
pub fn revokes(needs: &InventoryNeeds, requested_by: Option<&str>) -> Result<Vec<Message>, Failure> {
    let reference = needs.item.to_string();
    let message = |(server_id, ip)| {
        let body = json!({"server_id": server_id, "ip_address": ip, "requested_by": requested_by.unwrap_or(ASKED_BY), "reference": reference});
        request(Action::Revoke, body.to_string().into_bytes(), RequestIds::default())
    };
    needs.revokes().into_iter().map(message).collect()
}
