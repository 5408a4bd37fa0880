//! The hooks of the settings: secrets read from their files, mappings checked before anything is taken by them.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use chrono::FixedOffset;

use super::load::from_file;
use super::signed_parts::{SignedPart, signed_parts};
use super::{ConfigError, HookFields, HookSettings, Secret, SecretEncoding, Settings};

/// Longest name of a hook, characters; it begins the ids of its commands.
const NAME_CHARS_MAX: usize = 40;
const NOT_BASE64: &str = "is not base64, which `secret_encoding` says it is";
/// What may be before a secret in base64 (Standard Webhooks).
const SECRET_PREFIX: &str = "whsec_";

impl HookSettings {
    /// The keys under which a delivery may be signed: that of `secret`, and while it is being changed that of
    /// `previous_secret`. None where a secret is not written as the settings say.
    pub fn keys(&self) -> Option<Vec<Vec<u8>>> {
        let previous = Some(&self.previous_secret).filter(|secret| !secret.is_empty());
        [Some(&self.secret), previous].into_iter().flatten().map(|secret| self.key(secret)).collect()
    }

    fn key(&self, secret: &Secret) -> Option<Vec<u8>> {
        let secret = secret.reveal();
        match self.secret_encoding {
            SecretEncoding::Text => Some(secret.as_bytes().to_vec()),
            SecretEncoding::Base64 => {
                let text = secret.strip_prefix(SECRET_PREFIX).unwrap_or(secret);
                STANDARD.decode(text).or_else(|_| STANDARD_NO_PAD.decode(text)).ok()
            }
        }
    }

    /// What is signed, where the delivery has a time or has none. The setting was checked at start.
    pub fn signed_parts(&self, has_time: bool) -> Vec<SignedPart<'_>> {
        match self.signed.as_str() {
            "" if has_time => vec![SignedPart::Timestamp, SignedPart::Text("."), SignedPart::Body],
            "" => vec![SignedPart::Body],
            text => signed_parts(text).unwrap_or_default(),
        }
    }

    /// The offset of times that name none.
    pub fn offset(&self) -> Option<FixedOffset> {
        match self.time_zone.as_str() {
            "UTC" | "Z" => FixedOffset::east_opt(0),
            text => text.parse().ok(),
        }
    }

    /// The lists of values of `action`, with their keys.
    fn lists(&self) -> [(&'static str, &[String]); 4] {
        [(".create", &self.create), (".move", &self.r#move), (".rotate", &self.rotate), (".revoke", &self.revoke)]
    }

    fn signs(&self, part: SignedPart<'_>) -> bool {
        signed_parts(&self.signed).is_ok_and(|parts| parts.contains(&part))
    }
}

impl Settings {
    /// Reads the secrets that stand in files.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub(super) fn read_hook_secrets(&mut self) -> Result<(), ConfigError> {
        for (name, hook) in &mut self.hooks {
            read_secret(&format!("hooks.{name}.secret_file"), &hook.secret_file, &mut hook.secret)?;
            let (file, secret) = (&hook.previous_secret_file, &mut hook.previous_secret);
            read_secret(&format!("hooks.{name}.previous_secret_file"), file, secret)?;
        }
        Ok(())
    }

    /// Checks every hook.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] for the first setting that cannot be used, by its whole name.
    pub(super) fn validate_hooks(&self) -> Result<(), ConfigError> {
        let problems = self.hooks.iter().filter_map(|(name, hook)| {
            let (key, problem) = problem(name, hook).or_else(|| self.shared_secret(name, hook))?;
            Some(ConfigError::Invalid { setting: format!("hooks.{name}{key}"), problem })
        });
        problems.into_iter().next().map_or(Ok(()), Err)
    }

    /// Under one secret a delivery recorded at one hook would be right at the other too, unless the name of the hook is signed.
    fn shared_secret(&self, name: &str, hook: &HookSettings) -> Option<(&'static str, String)> {
        let mut earlier = self.hooks.iter().take_while(|(other, _)| *other != name);
        let own = hook.keys().unwrap_or_default();
        let (other, _) = earlier.find(|(_, other)| {
            other.keys().unwrap_or_default().iter().any(|key| own.contains(key))
                && !(hook.signs(SignedPart::Hook) && other.signs(SignedPart::Hook))
        })?;
        let problem = format!(
            "is also the secret of hooks.{other}: a delivery recorded at one would be accepted at the other. Give each hook a \
             secret of its own, or have the name of the hook signed ({{hook}} in `signed` of both)"
        );
        Some((".secret", problem))
    }
}

fn read_secret(setting: &str, file: &Path, secret: &mut Secret) -> Result<(), ConfigError> {
    if !file.as_os_str().is_empty() {
        *secret = Secret::new(from_file(setting, file)?);
    }
    Ok(())
}

/// What is wrong with a hook, and with which of its keys.
fn problem(name: &str, hook: &HookSettings) -> Option<(&'static str, String)> {
    let is_key = |secret: &Secret| hook.key(secret).is_some_and(|key| !key.is_empty());
    let previous = &hook.previous_secret;
    let is_named = |header: &str| header.is_empty() || is_token(header);
    let rules = [
        ("", !is_name(name), "the name of a hook has letters, digits, `-` and `_`, at most 40"),
        (".secret", hook.secret.is_empty(), "must be set, here or by `secret_file`: deliveries are signed with it"),
        (".secret", !is_key(&hook.secret), NOT_BASE64),
        (".previous_secret", !previous.is_empty() && !is_key(previous), NOT_BASE64),
        (".signature_header", !is_token(&hook.signature_header), "is not a valid name of a header"),
        (".timestamp_header", !is_named(&hook.timestamp_header), "is not a valid name of a header"),
        (".id_header", !is_named(&hook.id_header), "is not a valid name of a header"),
        (
            ".time_zone",
            !hook.time_zone.is_empty() && hook.offset().is_none(),
            "expected UTC, or an offset such as +01:00",
        ),
        (
            ".create",
            hook.lists().iter().all(|(_, values)| values.is_empty()),
            "name a value of `action` here or in another list",
        ),
        (
            ".fields.to_server_id",
            !hook.r#move.is_empty() && hook.fields.to_server_id.is_empty(),
            "must be set for `move`",
        ),
        (
            ".fields.ip_address",
            hook.fields.ip_address.is_empty() && hook.fields.subnet.is_empty(),
            "must be set, or `subnet`: a JSON pointer such as /data/ip",
        ),
    ];
    let broken = rules.into_iter().find(|(_, broken, _)| *broken);
    let broken = broken.map(|(key, _, problem)| (key, problem.to_owned()));
    broken
        .or_else(|| twice(hook))
        .or_else(|| signing(hook))
        .or_else(|| pointers(hook).into_iter().find_map(Pointer::problem))
}

/// A value of `action` that stands in two lists.
fn twice(hook: &HookSettings) -> Option<(&'static str, String)> {
    let lists = hook.lists();
    lists.iter().enumerate().find_map(|(at, (key, values))| {
        let (other, value) = lists[at + 1..].iter().find_map(|(other, others)| {
            values.iter().find(|value| others.contains(value)).map(|value| (other.trim_start_matches('.'), value))
        })?;
        Some((*key, format!("`{value}` is in `{other}` too: it cannot mean both")))
    })
}

/// What is wrong with what is said to be signed.
fn signing(hook: &HookSettings) -> Option<(&'static str, String)> {
    if !hook.signed.is_empty()
        && let Err(problem) = signed_parts(&hook.signed)
    {
        return Some((".signed", problem));
    }
    let (signs_id, signs_time) =
        (hook.signs(SignedPart::Id), hook.signed.is_empty() || hook.signs(SignedPart::Timestamp));
    let rules = [
        (".signed", signs_id && hook.id_header.is_empty(), "holds {id}: name its header by `id_header`"),
        (
            ".id_header",
            !signs_id && !hook.id_header.is_empty(),
            "is not signed ({id} in `signed`), and whoever repeats a delivery could give it another id: map `fields.message_id`, or \
             leave both out, and the hash of the body is the id",
        ),
        (
            ".id_header",
            !hook.id_header.is_empty() && !hook.fields.message_id.is_empty(),
            "is set and `fields.message_id` too: which is the id?",
        ),
        (
            ".timestamp_header",
            !signs_time && !hook.timestamp_header.is_empty(),
            "is not signed ({timestamp} in `signed`), so it proves nothing",
        ),
    ];
    rules.into_iter().find(|(_, broken, _)| *broken).map(|(key, _, problem)| (key, problem.to_owned()))
}

/// A pointer of a hook.
struct Pointer<'a> {
    key: &'static str,
    text: &'a str,
    required: bool,
}

impl Pointer<'_> {
    fn problem(self) -> Option<(&'static str, String)> {
        let problem = match self.text {
            "" if self.required => "must be set: a JSON pointer such as /data/id".to_owned(),
            "" => return None,
            text if is_pointer(text) => return None,
            text => format!(
                "`{text}` is not a valid JSON pointer (RFC 6901) such as /data/id: each part begins with `/`, `~` is `~0`"
            ),
        };
        Some((self.key, problem))
    }
}

fn pointers(hook: &HookSettings) -> [Pointer<'_>; 9] {
    let HookFields { server_id, to_server_id, ip_address, subnet, message_id, issued_at, reference, vlan_name } =
        &hook.fields;
    [
        (".action", &hook.action, true),
        (".fields.server_id", server_id, true),
        (".fields.to_server_id", to_server_id, false),
        (".fields.ip_address", ip_address, false),
        (".fields.subnet", subnet, false),
        (".fields.message_id", message_id, false),
        (".fields.issued_at", issued_at, false),
        (".fields.reference", reference, false),
        (".fields.vlan_name", vlan_name, false),
    ]
    .map(|(key, text, required)| Pointer { key, text, required })
}

/// RFC 6901 section 3: `/` before each part, and `~` only as `~0` or `~1`.
fn is_pointer(text: &str) -> bool {
    text.starts_with('/') && text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']))
}

fn is_name(text: &str) -> bool {
    (1..=NAME_CHARS_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

/// RFC 9110 section 5.6.2.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

#[cfg(test)]
#[path = "hook_checks_tests.rs"]
mod tests;
