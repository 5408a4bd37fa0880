//! The bodies of commands, as types: the reader reads them, and their schemas are told to producers.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::domain::{
    Action, BindableAddress, GroupName, MS_MAX, PLAIN_TEXT, PoolName, SharedMac, Subnet, TEXT_CHARS_MAX,
    TIME_SINCE_1970, VirtualMac, VlanName,
};

/// What any command may say.
#[derive(Debug, Default)]
pub(super) struct CommandBody {
    pub server_id: i64,
    pub to_server_id: Option<i64>,
    pub ip_address: Option<String>,
    pub subnet: Option<String>,
    pub vlan_name: Option<String>,
    pub mac_address: Option<String>,
    pub pool: Option<String>,
    pub group: Option<String>,
    pub issued_at: Option<Value>,
    pub requested_by: Option<String>,
    pub reference: Option<String>,
}

/// What a schema says of the two fields, of which a body has one.
fn address_or_subnet() -> Value {
    json!([
        {"required": ["ip_address"], "properties": {"ip_address": {"type": "string"}, "subnet": {"type": "null"}}},
        {"required": ["subnet"], "properties": {"subnet": {"type": "string"}, "ip_address": {"type": "null"}}},
    ])
}

/// A command's body: the fields of all commands, and its own.
macro_rules! body {
    (
        $(#[$doc:meta])* $type:ident = $name:literal of $server:literal, $address:literal {
            $($(#[$attribute:meta])* $field:ident: $kind:ty,)*
        }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        #[schemars(rename = $name)]
        #[schemars(extend("oneOf" = address_or_subnet()))]
        pub struct $type {
            #[doc = $server]
            #[schemars(range(min = 1, max = i64::MAX), example = 1042)]
            server_id: i64,
            #[doc = $address]
            #[schemars(with = "Option<BindableAddress>", example = &"10.0.48.6", example = &"2001:db8:48::6")]
            ip_address: Option<String>,
            /// A subnet, in place of `ip_address`: the same for each of its addresses, at most 1,024.
            #[schemars(with = "Option<Subnet>", example = &"10.0.48.8/29")]
            subnet: Option<String>,
            $($(#[$attribute])* $field: $kind,)*
            /// When it was asked for; of several commands for one address the newest counts. A number is seconds since
            /// 1970, or milliseconds where it is above 10^11; 0 says nothing.
            #[schemars(
                extend(
                    "type" = ["string", "integer", "null"], "format" = "date-time", "pattern" = TIME_SINCE_1970,
                    "minimum" = 0, "maximum" = MS_MAX
                ),
                example = &"2026-11-21T10:00:00.000Z"
            )]
            issued_at: Option<Value>,
            /// Who is asking; stored with the row.
            #[schemars(length(max = TEXT_CHARS_MAX), extend("pattern" = PLAIN_TEXT), example = &"billing")]
            requested_by: Option<String>,
            /// The producer's own reference, kept on the row.
            #[schemars(length(max = TEXT_CHARS_MAX), extend("pattern" = PLAIN_TEXT), example = &"order 7781")]
            reference: Option<String>,
        }

        impl From<$type> for CommandBody {
            fn from(body: $type) -> Self {
                let $type { server_id, ip_address, subnet, $($field,)* issued_at, requested_by, reference } = body;
                Self {
                    server_id,
                    ip_address,
                    subnet,
                    $($field: $field.into(),)*
                    issued_at,
                    requested_by,
                    reference,
                    ..Self::default()
                }
            }
        }
    };
}

body!(
    /// Asks for a virtual MAC for an address of a server.
    CreateBody = "vmac.create" of "The server's number in the panel.",
    "The unicast address, IPv4 or IPv6 (on ELS switches), one of the server's extra ones." {
        /// The VLAN; found in the inventory or on the switch where it is left out.
        #[schemars(with = "Option<VlanName>", example = &"VLAN.13")]
        vlan_name: Option<String>,
        /// The MAC; a random one where it is left out. One of VRRP only with a group.
        #[schemars(with = "Option<SharedMac>", example = &"02:5e:10:9a:0c:44")]
        mac_address: Option<String>,
        /// The pool that the MAC is taken from; the one that serves the VLAN or the switch where it is left out.
        #[schemars(with = "Option<PoolName>", example = &"customers")]
        pool: Option<String>,
        /// The group of servers that share the address and its MAC: whoever names the same group joins.
        #[schemars(with = "Option<GroupName>", example = &"lb-pair-7")]
        group: Option<String>,
    }
);

body!(
    /// Gives an address another virtual MAC.
    RotateBody = "vmac.rotate" of "The server's number in the panel.", "The address." {
        /// The new MAC; a random one where it is left out.
        #[schemars(with = "Option<VirtualMac>", example = &"02:5e:10:9a:0c:45")]
        mac_address: Option<String>,
    }
);

body!(
    /// Takes an address with its virtual MAC to another server.
    MoveBody = "vmac.move" of "The server that the address leaves.", "The address." {
        /// The server that it goes to.
        #[schemars(range(min = 1, max = i64::MAX), example = 1043)]
        to_server_id: i64,
        /// The VLAN at the other server; found in the inventory or on the switch where it is left out.
        #[schemars(with = "Option<VlanName>", example = &"VLAN.13")]
        vlan_name: Option<String>,
    }
);

body!(
    /// Takes the virtual MAC of an address off again.
    RevokeBody = "vmac.revoke" of "The server's number in the panel.", "The address." {}
);

/// The schema of a command's body by itself.
pub fn root_schema(action: Action, generator: SchemaGenerator) -> Schema {
    match action {
        Action::Create => generator.into_root_schema_for::<CreateBody>(),
        Action::Rotate => generator.into_root_schema_for::<RotateBody>(),
        Action::Move => generator.into_root_schema_for::<MoveBody>(),
        Action::Revoke => generator.into_root_schema_for::<RevokeBody>(),
    }
}

/// Adds the schema of a command's body to the generator's definitions.
pub fn define_schema(action: Action, generator: &mut SchemaGenerator) -> Schema {
    match action {
        Action::Create => generator.subschema_for::<CreateBody>(),
        Action::Rotate => generator.subschema_for::<RotateBody>(),
        Action::Move => generator.subschema_for::<MoveBody>(),
        Action::Revoke => generator.subschema_for::<RevokeBody>(),
    }
}
