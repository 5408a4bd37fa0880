//! A command for a whole subnet: one message becomes a message for each address, with an outcome of its own.

use serde_json::{Map, Value};

use super::message::{ID_BYTES_MAX, Message};
use super::parse::{parse_command, subnet_of};
use crate::domain::{BindableAddress, Code, Failure, addresses_of};

/// A command for a whole subnet, checked for each of its addresses.
#[derive(Debug, PartialEq)]
pub struct SubnetCommands {
    body: Map<String, Value>,
    addresses: Vec<BindableAddress>,
}

impl SubnetCommands {
    /// The messages for the addresses, one after another. Their ids are the message's own with `/` and the address, so that
    /// a message which is expanded twice is the same commands.
    pub fn messages<'a>(&'a self, message: &'a Message) -> impl Iterator<Item = Message> + 'a {
        self.addresses.iter().map(|address| one_of(message, &self.body, address))
    }
}

/// What a message with a `subnet` stands for; none where it has none.
///
/// # Errors
/// A permanent [`Failure`] where the subnet, or a message for one of its addresses, is at fault; nothing is expanded then.
pub fn expand_subnet(message: &Message) -> Result<Option<SubnetCommands>, Failure> {
    if !may_have_subnet(&message.body) {
        return Ok(None);
    }
    let Some(subnet) = subnet_of(message)? else { return Ok(None) };
    let body = serde_json::from_slice(&message.body);
    let body: Map<String, Value> = body.map_err(|error| Failure::new(Code::NotJson, error.to_string()))?;
    let refused = |error| Failure::new(Code::InvalidAddress, format!("subnet: {error}"));
    let addresses = addresses_of(&subnet).map_err(refused)?;
    let commands = SubnetCommands { body, addresses };
    commands.messages(&Message { headers: Map::new(), ..message.clone() }).try_for_each(|one| check(&one))?;
    Ok(Some(commands))
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

/// Whether it is worth reading: most bodies have no subnet, and are read once. The name may be written with escapes.
fn may_have_subnet(body: &[u8]) -> bool {
    let holds = |text: &[u8]| body.windows(text.len()).any(|part| part == text);
    holds(b"subnet") || holds(b"\\u")
}

fn one_of(message: &Message, body: &Map<String, Value>, address: &BindableAddress) -> Message {
    let mut body = body.clone();
    body.remove("subnet");
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
        Ok(expand_subnet(&message)?.map(|commands| commands.messages(&message).collect()))
    }

    #[test]
    fn a_subnet_is_a_message_for_each_address_with_an_id_of_its_own() {
        let body = json!({"server_id": 7, "subnet": "10.0.48.8/30", "reference": "order/1"});
        let messages = asked(&body).expect("right").expect("a subnet");
        let ids: Vec<_> = messages.iter().filter_map(|message| message.message_id.as_deref()).collect();
        assert_eq!(ids, ["order-1/10.0.48.9", "order-1/10.0.48.10"]);
        let body: Value = serde_json::from_slice(&messages[1].body).expect("JSON");
        assert_eq!(body, json!({"server_id": 7, "ip_address": "10.0.48.10", "reference": "order/1"}));
    }

    #[test]
    fn a_message_about_one_address_is_left_alone() {
        assert_eq!(asked(&json!({"server_id": 7, "ip_address": "10.0.48.8", "reference": "order/1"})), Ok(None));
        let body = json!({"server_id": 7, "ip_address": "10.0.48.8", "subnet": null, "reference": "subnet 1"});
        assert_eq!(asked(&body), Ok(None));
        assert_eq!(asked(&json!("10.0.48.8/30")), Ok(None));
    }

    #[test]
    fn an_id_that_leaves_no_room_for_the_addresses_is_refused() {
        let body = json!({"server_id": 7, "subnet": "10.0.48.8/30"}).to_string().into_bytes();
        let message = Message { routing_key: "vmac.create".to_owned(), body, ..Message::default() };
        let asked = |id: &str| expand_subnet(&Message { message_id: Some(id.to_owned()), ..message.clone() });
        // Two bytes a character; the longer of the two addresses is 10.0.48.10.
        let longest = "ü".repeat((ID_BYTES_MAX - "/10.0.48.10".len()) / 2);
        assert!(asked(&longest).is_ok());
        let failure = asked(&format!("{longest}m")).expect_err("refused");
        assert!(failure.code == Code::InvalidField && failure.text.contains("255 bytes"), "{failure}");
    }

    #[test]
    fn what_is_wrong_is_said_before_anything_is_spread() {
        for (body, expected) in [
            (json!({"server_id": 7, "subnet": "10.0.48.9/29"}), "`ip_address` 10.0.48.9; the subnet is 10.0.48.8/29"),
            (json!({"server_id": 7, "subnet": "10.0.48.8"}), "is not a valid subnet"),
            (json!({"server_id": 7, "subnet": "10.0.48.8/29", "ip_address": "10.0.48.9"}), "one of the two"),
            (json!({"server_id": 7, "subnet": "10.0.48.8/29", "mac_address": "02:5e:10:00:00:01"}), "leave it out"),
            (json!({"server_id": 7, "subnet": "10.0.48.8/29", "colour": 1}), "`colour`"),
            (json!({"server_id": 0, "subnet": "10.0.48.8/29"}), "server_id"),
        ] {
            let failure = asked(&body).expect_err("refused");
            assert!(failure.text.contains(expected), "{failure}");
        }
    }
}
