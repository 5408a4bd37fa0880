//! The bodies of commands, as types: the reader reads them, and their schemas are told to producers.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::domain::{BindableAddress, PLAIN_TEXT, PoolName, TIME_SINCE_1970, VirtualMac, VlanName};

/// Longest `requested_by`, `reference` and ids, characters.
pub(super) const TEXT_CHARS_MAX: usize = 200;

/// Asks for a virtual MAC for an address of a server.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "vmac.create")]
pub struct CreateBody {
    /// The server's number in the panel.
    #[schemars(range(min = 1, max = i64::MAX), example = 1042)]
    pub(super) server_id: i64,
    /// The IPv4 unicast address, one of the server's extra ones.
    #[schemars(with = "BindableAddress", example = &"10.0.48.6")]
    pub(super) ip_address: String,
    /// The VLAN; found in the inventory or on the switch where it is left out.
    #[schemars(with = "Option<VlanName>", example = &"VLAN.13")]
    pub(super) vlan_name: Option<String>,
    /// The MAC; a random one where it is left out.
    #[schemars(with = "Option<VirtualMac>", example = &"02:5e:10:9a:0c:44")]
    pub(super) mac_address: Option<String>,
    /// The pool that the MAC is taken from; the one that serves the VLAN or the switch where it is left out.
    #[schemars(with = "Option<PoolName>", example = &"customers")]
    pub(super) pool: Option<String>,
    /// When it was asked for; of several commands for one address the newest counts.
    #[schemars(extend("format" = "date-time", "pattern" = TIME_SINCE_1970), example = &"2026-11-21T10:00:00.000Z")]
    pub(super) issued_at: Option<String>,
    /// Who asks, kept on the row.
    #[schemars(length(max = TEXT_CHARS_MAX), extend("pattern" = PLAIN_TEXT), example = &"billing")]
    pub(super) requested_by: Option<String>,
    /// The producer's own reference, kept on the row.
    #[schemars(length(max = TEXT_CHARS_MAX), extend("pattern" = PLAIN_TEXT), example = &"order 7781")]
    pub(super) reference: Option<String>,
}

/// Takes the virtual MAC of an address off again.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "vmac.revoke")]
pub struct RevokeBody {
    /// The server's number in the panel.
    #[schemars(range(min = 1, max = i64::MAX), example = 1042)]
    pub(super) server_id: i64,
    /// The address.
    #[schemars(with = "BindableAddress", example = &"10.0.48.6")]
    pub(super) ip_address: String,
    /// When it was asked for; of several commands for one address the newest counts.
    #[schemars(extend("format" = "date-time", "pattern" = TIME_SINCE_1970), example = &"2026-11-21T10:00:00.000Z")]
    pub(super) issued_at: Option<String>,
    /// Who asks, kept on the row.
    #[schemars(length(max = TEXT_CHARS_MAX), extend("pattern" = PLAIN_TEXT), example = &"billing")]
    pub(super) requested_by: Option<String>,
    /// The producer's own reference, kept on the row.
    #[schemars(length(max = TEXT_CHARS_MAX), extend("pattern" = PLAIN_TEXT), example = &"order 7781")]
    pub(super) reference: Option<String>,
}

impl From<RevokeBody> for CreateBody {
    fn from(body: RevokeBody) -> Self {
        let RevokeBody { server_id, ip_address, issued_at, requested_by, reference } = body;
        Self {
            server_id,
            ip_address,
            vlan_name: None,
            mac_address: None,
            pool: None,
            issued_at,
            requested_by,
            reference,
        }
    }
}
