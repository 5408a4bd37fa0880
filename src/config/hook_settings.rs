//! The settings of a hook: how its sender signs, which of its events mean what, and where their fields are.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Secret;
use super::section::section;

/// How the secret of a hook is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SecretEncoding {
    /// Its bytes are the key.
    Text,
    /// The key in base64, with or without `whsec_` before it (Standard Webhooks).
    Base64,
}

section!(
    /// `[hooks.NAME]`
    HookSettings {
        /// Secret under which deliveries are signed (HMAC-SHA256 or HMAC-SHA512). Each hook has its own.
        secret: Secret = Secret::default(),
        /// File that holds the secret instead.
        secret_file: PathBuf = PathBuf::new(),
        /// The secret before, accepted too while it is being changed; remove it once the sender uses the new one.
        previous_secret: Secret = Secret::default(),
        /// File that holds the secret before instead.
        previous_secret_file: PathBuf = PathBuf::new(),
        /// How the secrets are written: `text`, or `base64` with or without `whsec_` before it (Standard Webhooks).
        secret_encoding: SecretEncoding = SecretEncoding::Text,
        /// Header with the signature: hexadecimal digits or base64, alone or behind a name (`sha256=`, `v1,`).
        signature_header: String = "X-Signature-256".to_owned(),
        /// What is signed: text with `{body}`, and `{timestamp}`, `{id}` and `{hook}` (the name of the hook) where they are signed
        /// too. Empty means `{timestamp}.{body}` where the sender gives a time, else `{body}`.
        signed: String = String::new(),
        /// Header with the time of signing; empty means `t=` or `ts=` in the header of the signature, where there is one.
        timestamp_header: String = String::new(),
        /// How far that time may be from the database's clock, milliseconds.
        timestamp_tolerance_ms: u64 = 300_000; 1_000..=DAY_MS,
        /// Header with the delivery's own id, its idempotency key in place of `fields.message_id`; it must be signed (`{id}`).
        id_header: String = String::new(),
        /// Offset of times that name no time zone: `UTC` or such as `+01:00`. Empty means that they are refused.
        time_zone: String = String::new(),
        /// JSON pointer (RFC 6901) to the field that says what happened.
        action: String = String::new(),
        /// Values of it that ask for a virtual MAC.
        create: Vec<String> = Vec::new(),
        /// Values of it that take an address to another server (`fields.to_server_id`).
        r#move: Vec<String> = Vec::new(),
        /// Values of it that ask for another virtual MAC.
        rotate: Vec<String> = Vec::new(),
        /// Values of it that take one off. Every value that is in no list is ignored.
        revoke: Vec<String> = Vec::new(),
        /// Where the fields of the command are.
        fields: HookFields = HookFields::default(),
    }
);

/// Longest tolerance, milliseconds.
const DAY_MS: u64 = 24 * 60 * 60_000;

section!(
    /// `[hooks.NAME.fields]`: JSON pointers; an empty one means that there is no such field
    HookFields {
        /// The server's number, as a number or a text; required. Of a move the server that the address leaves.
        server_id: String = String::new(),
        /// The server to move the address to, for a move.
        to_server_id: String = String::new(),
        /// One address; the prefix length of its interface is left out (`192.0.2.10/24`). This or `subnet` is required.
        ip_address: String = String::new(),
        /// A subnet, for each address in it.
        subnet: String = String::new(),
        /// The event's id, the idempotency key; without one the hash of the body is.
        message_id: String = String::new(),
        /// When it happened: a date and time with its time zone, or seconds or milliseconds since 1970. 0 says nothing.
        issued_at: String = String::new(),
        /// The other system's own reference.
        reference: String = String::new(),
        /// The VLAN, for a create or a move.
        vlan_name: String = String::new(),
    }
);
