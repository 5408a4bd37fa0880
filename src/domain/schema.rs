//! How the values look in JSON to others, as JSON Schema 2020-12: each pattern accepts what its type reads, and is
//! written so that every usual engine of regular expressions takes it (no look-around, no Unicode classes).

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::{BindableAddress, InterfaceName, Mac, PoolName, SwitchName, VlanName};

/// The first octet of a unicast address: not 0, 127 and 224 to 239.
const FIRST_OCTET: &str = "([1-9]|[1-9][0-9]|1[01][0-9]|12[0-689]|1[3-9][0-9]|2[01][0-9]|22[0-3]|24[0-9]|25[0-5])";
/// An octet without leading zeros.
const OCTET: &str = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])";

/// Free text without control characters.
pub const PLAIN_TEXT: &str = r"^[^\x00-\x1f\x7f-\x9f]*$";
/// An RFC 3339 time (section 5.6) since 1970.
pub const TIME_SINCE_1970: &str = concat!(
    r"^(19[7-9][0-9]|[2-9][0-9]{3})-[0-9]{2}-[0-9]{2}[Tt]",
    r"[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})$"
);

/// A virtual MAC as producers may write it: locally administered unicast, in any usual notation. Only its schema is used.
pub struct VirtualMac;

macro_rules! schemas {
    ($($type:ident => $schema:expr;)*) => {$(
        impl JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                $schema
            }
        }
    )*};
}

schemas! {
    BindableAddress => json_schema!({
        "type": "string",
        "format": "ipv4",
        "pattern": format!(r"^{FIRST_OCTET}(\.{OCTET}){{3}}$"),
        "not": {"const": "255.255.255.255"},
    });
    Mac => json_schema!({"type": "string", "pattern": "^[0-9a-f]{2}(:[0-9a-f]{2}){5}$"});
    VirtualMac => json_schema!({
        "type": "string",
        "pattern": concat!(
            "^[0-9A-Fa-f][26AEae]((:[0-9A-Fa-f]{2}){5}|(-[0-9A-Fa-f]{2}){5}",
            r"|[0-9A-Fa-f]{2}(\.[0-9A-Fa-f]{4}){2}|[0-9A-Fa-f]{10})$"
        ),
    });
    VlanName => json_schema!({"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,254}$"});
    SwitchName => json_schema!({"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"});
    PoolName => json_schema!({"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$"});
    InterfaceName => json_schema!({
        "type": "string",
        "pattern": r"^[a-z]{2,8}-?[0-9]{1,5}([/:][0-9]{1,5})*(\.[0-9]{1,5})?$",
        "maxLength": 40,
    });
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn accepts<T: JsonSchema>(text: &str) -> bool {
        let schema = schemars::SchemaGenerator::default().into_root_schema_for::<T>();
        let options = jsonschema::options().should_validate_formats(true);
        options.build(schema.as_value()).expect("a schema").is_valid(&Value::from(text))
    }

    fn reads<T: std::str::FromStr>(text: &str) -> bool {
        text.parse::<T>().is_ok()
    }

    #[test]
    fn addresses_at_the_edges_are_told_apart_as_the_reader_does() {
        for first in 0..=256 {
            for rest in ["0.0.0", "255.255.255", "255.255.254", "256.1.1", "01.1.1", "1.1"] {
                let text = format!("{first}.{rest}");
                assert_eq!(accepts::<BindableAddress>(&text), reads::<BindableAddress>(&text), "{text}");
            }
        }
    }

    #[test]
    fn the_first_octet_of_a_virtual_mac_is_that_of_a_local_unicast_address() {
        for first in 0..=255 {
            let text = format!("{first:02X}:00:00:00:00:01");
            let mac = text.parse::<Mac>().expect("a MAC");
            assert_eq!(accepts::<VirtualMac>(&text), mac.as_virtual().is_ok(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_schema_accepts_what_its_type_reads(text in prop_oneof![
            "[0-9]{1,3}(\\.[0-9]{1,3}){3}",
            "[a-zA-Z0-9._-]{0,70}",
            "[a-z]{1,9}-?[0-9]{0,6}([/:][0-9]{1,6}){0,3}(\\.[0-9]{0,6})?",
            any::<String>(),
        ]) {
            prop_assert_eq!(accepts::<BindableAddress>(&text), reads::<BindableAddress>(&text));
            prop_assert_eq!(accepts::<VlanName>(&text), reads::<VlanName>(&text));
            prop_assert_eq!(accepts::<SwitchName>(&text), reads::<SwitchName>(&text));
            prop_assert_eq!(accepts::<PoolName>(&text), reads::<PoolName>(&text));
            prop_assert_eq!(accepts::<InterfaceName>(&text), reads::<InterfaceName>(&text));
        }

        #[test]
        fn a_virtual_mac_is_accepted_in_the_notations_that_are_read(text in prop_oneof![
            "[0-9a-fA-F]{2}([:-][0-9a-fA-F]{2}){4,6}",
            "[0-9a-fA-F]{4}(\\.[0-9a-fA-F]{4}){2}",
            "[0-9a-fA-F]{11,13}",
            any::<[u8; 6]>().prop_map(|octets| Mac::new(octets).to_string()),
        ]) {
            let read = text.parse::<Mac>().is_ok_and(|mac| mac.as_virtual().is_ok());
            prop_assert_eq!(accepts::<VirtualMac>(&text), read);
            prop_assert!(!read || accepts::<Mac>(&text.parse::<Mac>().expect("read").to_string()));
        }
    }
}
