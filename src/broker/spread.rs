//! A command for a whole subnet: one message becomes a message for each address, with an outcome of its own.

use serde_json::{Map, Value};

use super::message::{ID_BYTES_MAX, Message};
use super::parse::parse_command;
use crate::domain::{BODY_BYTES_MAX, BindableAddress, Code, Failure, addresses_of};

/// A command for a whole subnet, checked for each of its addresses.
#[derive(Debug, PartialEq)]
pub struct Spread {
    body: Map<String, Value>,
    addresses: Vec<BindableAddress>,
}

impl Spread {
    /// The messages for the addresses, one after another. Their ids are the message's own with `/` and the address, so that
    /// a message which is spread twice is the same commands.
    pub fn messages<'a>(&'a self, message: &'a Message) -> impl Iterator<Item = Message> + 'a {
        self.addresses.iter().map(|address| one_of(message, &self.body, address))
    }
}

/// What a message whose `ip_address` is a subnet stands for; none where it is none.
///
/// # Errors
/// A permanent [`Failure`] where the subnet, or a message for one of its addresses, is at fault; nothing is spread then.
pub fn spread(message: &Message) -> Result<Option<Spread>, Failure> {
    let Some((body, subnet)) = subnet_of(message) else { return Ok(None) };
    if !body.get("mac_address").is_none_or(Value::is_null) {
        let text = "mac_address: one MAC cannot be bound to every address of a subnet; leave it out";
        return Err(Failure::new(Code::InvalidField, text));
    }
    let refused = |error| Failure::new(Code::InvalidAddress, format!("ip_address: {error}"));
    let addresses = addresses_of(&subnet).map_err(refused)?;
    let spread = Spread { body, addresses };
    spread.messages(&Message { headers: Map::new(), ..message.clone() }).try_for_each(|one| check(&one))?;
    Ok(Some(spread))
}

fn check(message: &Message) -> Result<(), Failure> {
    parse_command(message)?;
    match &message.message_id {
        // Shortened on its way, it would be the id of several.
        Some(id) if id.len() > ID_BYTES_MAX => {
            let text = format!(
                "message_id: with \"/ADDRESS\" after it longer than {ID_BYTES_MAX} bytes; give a subnet a shorter one"
            );
            Err(Failure::new(Code::InvalidField, text))
        }
        _ => Ok(()),
    }
}

/// The body and its subnet; whatever else is wrong with a body is for the reader of commands to say.
fn subnet_of(message: &Message) -> Option<(Map<String, Value>, String)> {
    let body = &message.body;
    if message.long_body.is_some() || body.len() > BODY_BYTES_MAX || !body.contains(&b'/') {
        return None;
    }
    let body: Map<String, Value> = serde_json::from_slice(body).ok()?;
    let subnet = body.get("ip_address")?.as_str().filter(|text| text.contains('/'))?.to_owned();
    Some((body, subnet))
}

fn one_of(message: &Message, body: &Map<String, Value>, address: &BindableAddress) -> Message {
    let mut body = body.clone();
    body.insert("ip_address".to_owned(), address.to_string().into());
    let own = |id: &Option<String>| id.as_ref().map(|id| format!("{id}/{address}"));
    Message {
        message_id: own(&message.message_id),
        key: own(&message.key),
        body: Value::from(body).to_string().into_bytes(),
        ..message.clone()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn asked(body: &Value) -> Result<Option<Vec<Message>>, Failure> {
        let body = body.to_string().into_bytes();
        let id = Some("order-1".to_owned());
        let message = Message { routing_key: "vmac.create".to_owned(), message_id: id, body, ..Message::default() };
        Ok(spread(&message)?.map(|spread| spread.messages(&message).collect()))
    }

    #[test]
    fn a_subnet_is_a_message_for_each_address_with_an_id_of_its_own() {
        let body = json!({"server_id": 7, "ip_address": "10.0.48.8/30", "reference": "order/1"});
        let messages = asked(&body).expect("right").expect("a subnet");
        let ids: Vec<_> = messages.iter().filter_map(|message| message.message_id.as_deref()).collect();
        assert_eq!(ids, ["order-1/10.0.48.9", "order-1/10.0.48.10"]);
        let body: Value = serde_json::from_slice(&messages[1].body).expect("JSON");
        assert_eq!(body, json!({"server_id": 7, "ip_address": "10.0.48.10", "reference": "order/1"}));
    }

    #[test]
    fn a_message_about_one_address_is_left_alone() {
        assert_eq!(asked(&json!({"server_id": 7, "ip_address": "10.0.48.8", "reference": "order/1"})), Ok(None));
        assert_eq!(asked(&json!("10.0.48.8/30")), Ok(None));
    }

    #[test]
    fn an_id_that_leaves_no_room_for_the_addresses_is_refused() {
        let body = json!({"server_id": 7, "ip_address": "10.0.48.8/30"}).to_string().into_bytes();
        let message = Message { routing_key: "vmac.create".to_owned(), body, ..Message::default() };
        let asked = |id: &str| spread(&Message { message_id: Some(id.to_owned()), ..message.clone() });
        // Two bytes a character; the longer of the two addresses is 10.0.48.10.
        let longest = "ü".repeat((ID_BYTES_MAX - "/10.0.48.10".len()) / 2);
        assert!(asked(&longest).is_ok());
        let failure = asked(&format!("{longest}m")).expect_err("refused");
        assert!(failure.code == Code::InvalidField && failure.text.contains("255 bytes"), "{failure}");
    }

    #[test]
    fn what_is_wrong_is_said_before_anything_is_spread() {
        for (body, expected) in [
            (json!({"server_id": 7, "ip_address": "10.0.48.9/29"}), "write 10.0.48.8/29"),
            (json!({"server_id": 7, "ip_address": "10.0.48.8/29", "mac_address": "02:5e:10:00:00:01"}), "leave it out"),
            (json!({"server_id": 7, "ip_address": "10.0.48.8/29", "colour": 1}), "`colour`"),
            (json!({"server_id": 0, "ip_address": "10.0.48.8/29"}), "server_id"),
        ] {
            let failure = asked(&body).expect_err("refused");
            assert!(failure.text.contains(expected), "{failure}");
        }
    }
}
