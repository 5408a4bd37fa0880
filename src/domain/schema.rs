//! How the values look in JSON to others, as JSON Schema 2020-12: each pattern accepts what its type reads, and is
//! written so that every usual engine of regular expressions takes it (no look-around, no Unicode classes).

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::{BindableAddress, GroupName, InterfaceName, Mac, PoolName, SwitchName, VlanName};

/// The first octet of a unicast address: not 0, 127 and 224 to 239.
const FIRST_OCTET: &str = "([1-9]|[1-9][0-9]|1[01][0-9]|12[0-689]|1[3-9][0-9]|2[01][0-9]|22[0-3]|24[0-9]|25[0-5])";
/// An octet without leading zeros.
const OCTET: &str = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])";
/// The first group of an IPv6 address of a host's own: above 0000::/8, not link-local (fe80::/10), not multicast (ff00::/8).
const FIRST_GROUP: &str = concat!(
    "([1-9A-Fa-f][0-9A-Fa-f]{2}|0[1-9A-Fa-f][0-9A-Fa-f]{2}|[1-9A-Ea-e][0-9A-Fa-f]{3}|[Ff][0-9A-Da-d][0-9A-Fa-f]{2}",
    "|[Ff][Ee][0-7C-Fc-f][0-9A-Fa-f])"
);
/// Any other group.
const GROUP: &str = ":[0-9A-Fa-f]{1,4}";

/// Free text without control characters.
pub const PLAIN_TEXT: &str = r"^[^\x00-\x1f\x7f-\x9f]*$";
/// An RFC 3339 time (section 5.6) since 1970.
pub const TIME_SINCE_1970: &str = concat!(
    r"^(19[7-9][0-9]|[2-9][0-9]{3})-[0-9]{2}-[0-9]{2}[Tt]",
    r"[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})$"
);

/// A virtual MAC as producers may write it: locally administered unicast, in any usual notation. Only its schema is used.
pub struct VirtualMac;

/// The same, or a MAC of VRRP: what the servers of a group may share. Only its schema is used.
pub struct SharedMac;

/// A subnet of at most 1,024 addresses. Only its schema is used.
pub struct Subnet;

/// A locally administered unicast MAC in the notations that [`Mac`] reads.
const VIRTUAL_MAC: &str = concat!(
    "[0-9A-Fa-f][26AEae]((:[0-9A-Fa-f]{2}){5}|(-[0-9A-Fa-f]{2}){5}",
    r"|[0-9A-Fa-f]{2}(\.[0-9A-Fa-f]{4}){2}|[0-9A-Fa-f]{10})"
);
/// VRRP's MAC in the same notations (RFC 9568 section 7.3); the last octet is no zero.
const VRRP_MAC: &str = concat!(
    "00:00:5[Ee]:00:0[12]:([1-9A-Fa-f][0-9A-Fa-f]|0[1-9A-Fa-f])|00-00-5[Ee]-00-0[12]-([1-9A-Fa-f][0-9A-Fa-f]|0[1-9A-Fa-f])",
    r"|0000\.5[Ee]00\.0[12]([1-9A-Fa-f][0-9A-Fa-f]|0[1-9A-Fa-f])|00005[Ee]000[12]([1-9A-Fa-f][0-9A-Fa-f]|0[1-9A-Fa-f])"
);
/// What may follow the first group of an IPv6 address (RFC 4291 section 2.2): all eight groups, or `::` for at least one; the
/// last two may be written as an IPv4 address.
fn ipv6_rest() -> String {
    let mut groups = vec![format!("({GROUP}){{7}}"), format!("({GROUP}){{0,6}}::")];
    groups.extend((0..=5).map(|before| format!("({GROUP}){{{before}}}:({GROUP}){{1,{}}}", 6 - before)));
    let mut heads = vec![format!("({GROUP}){{5}}")];
    heads.extend((0..=4).map(|before| format!("({GROUP}){{{before}}}:({GROUP}){{0,{}}}", 4 - before)));
    format!(r"{}|({}):{OCTET}(\.{OCTET}){{3}}", groups.join("|"), heads.join("|"))
}

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
        "anyOf": [
            {
                "format": "ipv4",
                "pattern": format!(r"^{FIRST_OCTET}(\.{OCTET}){{3}}$"),
                "not": {"const": "255.255.255.255"},
            },
            {"format": "ipv6", "pattern": format!("^{FIRST_GROUP}({})$", ipv6_rest())},
        ],
    });
    Subnet => json_schema!({
        "type": "string",
        "anyOf": [
            {
                "pattern": format!(r"^{FIRST_OCTET}(\.{OCTET}){{3}}/(2[2-9]|3[0-2])$"),
                "not": {"const": "255.255.255.255/32"},
            },
            {"pattern": format!("^{FIRST_GROUP}({})/(11[89]|12[0-8])$", ipv6_rest())},
        ],
    });
    Mac => json_schema!({"type": "string", "pattern": "^[0-9a-f]{2}(:[0-9a-f]{2}){5}$"});
    VirtualMac => json_schema!({"type": "string", "pattern": format!("^{VIRTUAL_MAC}$")});
    SharedMac => json_schema!({"type": "string", "pattern": format!("^({VIRTUAL_MAC}|{VRRP_MAC})$")});
    VlanName => json_schema!({"type": "string", "pattern": "^[A-Za-z0-9]([ -~]{0,253}[!-~])?$"});
    GroupName => json_schema!({"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"});
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
    use std::cell::RefCell;
    use std::collections::HashMap;

    use jsonschema::Validator;
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    thread_local! {
        /// Building one takes many times as long as asking it.
        static VALIDATORS: RefCell<HashMap<Cow<'static, str>, Validator>> = RefCell::default();
    }

    fn accepts<T: JsonSchema>(text: &str) -> bool {
        VALIDATORS.with_borrow_mut(|built| {
            let validator = built.entry(T::schema_id()).or_insert_with(validator::<T>);
            validator.is_valid(&Value::from(text))
        })
    }

    fn validator<T: JsonSchema>() -> Validator {
        let schema = schemars::SchemaGenerator::default().into_root_schema_for::<T>();
        let options = jsonschema::options().should_validate_formats(true);
        options.build(schema.as_value()).expect("a schema")
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
            "[0-9A-Fa-f]{1,4}(:[0-9A-Fa-f]{0,4}){2,8}",
            "(fe[0-9a-f]{2}|ff[0-9a-f]{2}|0[0-9a-f]{3}|[0-9a-f]{1,5})(:[0-9a-f]{1,4}){0,6}::?([0-9a-f]{1,4}(:[0-9a-f]{1,4}){0,6})?",
            "2001(:[0-9a-f]{1,4}){0,4}:(:[0-9a-f]{1,4}){0,5}:[0-9]{1,3}(\\.[0-9]{1,3}){3}",
            any::<u128>().prop_map(|bits| std::net::Ipv6Addr::from(bits).to_string()),
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
