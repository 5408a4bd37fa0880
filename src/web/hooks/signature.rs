//! Who sent a delivery: an HMAC (RFC 2104) with SHA-256 or SHA-512 (FIPS 180-4) of what the settings say is signed, under the
//! hook's secret. `shown` reads the header that it is in.

use axum::http::HeaderMap;
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Sha256, Sha512};

use super::signature_header::{Hash, SignatureHeader};
use super::times::{TimeError, since_1970_ms};
use crate::config::{HookSettings, SignedPart};
use crate::domain::shown as safe;

/// Why a delivery is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum SignatureError {
    /// A header with the signature, or with something that is signed, is missing.
    #[error("the header {0} is missing; {1}")]
    Missing(String, &'static str),
    /// The header holds no signature that could be checked.
    #[error(
        "the header {0} has no readable signature: expected an HMAC with SHA-256 or SHA-512 in hexadecimal digits or \
         base64, such as sha256=..."
    )]
    Form(String),
    /// Another secret, or something else was signed.
    #[error(
        "the signature in the header {0} is wrong: another secret was used, or something other than {1} was signed"
    )]
    Wrong(String, String),
    /// The time of signing cannot be read.
    #[error("the time of signing `{0}` {1}")]
    Time(String, TimeError),
    /// The time of signing is too far from now.
    #[error(
        "signed at `{0}`, which differs from the time here by {1} s; at most {2} s are accepted. Either the delivery was recorded and sent again, or \
         a clock is wrong"
    )]
    Stale(String, i64, u64),
}

/// The hook that a delivery came to, and what is checked of the delivery.
pub(super) struct Check<'a> {
    pub name: &'a str,
    pub hook: &'a HookSettings,
    pub headers: &'a HeaderMap,
    pub body: &'a [u8],
}

impl Check<'_> {
    /// Answers with the delivery's own id, where that is signed. How long the comparison takes says nothing about the right
    /// signature.
    ///
    /// # Errors
    /// [`SignatureError`].
    pub fn run(&self, now: DateTime<Utc>) -> Result<Option<String>, SignatureError> {
        let header = self.needed(&self.hook.signature_header, "it holds the signature")?;
        let found = SignatureHeader::read(&header);
        if found.tags.is_empty() {
            return Err(SignatureError::Form(self.hook.signature_header.clone()));
        }
        let timestamp = self.timestamp(&found)?;
        let parts = self.hook.signed_parts(timestamp.is_some());
        let id = parts.contains(&SignedPart::Id).then(|| self.needed(&self.hook.id_header, "its id is signed"));
        let id = id.transpose()?;
        let signed = self.content(&parts, timestamp.as_deref(), id.as_deref())?;
        let keys = self.hook.keys().unwrap_or_default();
        let is_right = |key: &Vec<u8>| found.tags.iter().any(|(hash, tag)| is_tag(*hash, key, &signed, tag));
        if !keys.iter().any(is_right) {
            return Err(SignatureError::Wrong(self.hook.signature_header.clone(), self.said(&parts)));
        }
        if let Some(timestamp) = timestamp.filter(|_| parts.contains(&SignedPart::Timestamp)) {
            self.is_fresh(&timestamp, now)?;
        }
        Ok(id)
    }

    /// Every value of a header, one after another.
    fn header(&self, name: &str) -> Option<String> {
        let values: Vec<&str> =
            self.headers.get_all(name).iter().map(|value| value.to_str().unwrap_or_default()).collect();
        let joined = values.join(",").trim().to_owned();
        (!joined.is_empty()).then_some(joined)
    }

    fn needed(&self, name: &str, why: &'static str) -> Result<String, SignatureError> {
        self.header(name).ok_or_else(|| SignatureError::Missing(name.to_owned(), why))
    }

    fn timestamp(&self, found: &SignatureHeader) -> Result<Option<String>, SignatureError> {
        match self.hook.timestamp_header.as_str() {
            "" => Ok(found.timestamp.clone()),
            header => self.needed(header, "it is signed").map(Some),
        }
    }

    fn content(
        &self,
        parts: &[SignedPart<'_>],
        time: Option<&str>,
        id: Option<&str>,
    ) -> Result<Vec<u8>, SignatureError> {
        let mut signed = Vec::with_capacity(self.body.len() + 128);
        for part in parts {
            match part {
                SignedPart::Text(text) => signed.extend_from_slice(text.as_bytes()),
                SignedPart::Body => signed.extend_from_slice(self.body),
                SignedPart::Hook => signed.extend_from_slice(self.name.as_bytes()),
                SignedPart::Id => signed.extend_from_slice(id.unwrap_or_default().as_bytes()),
                SignedPart::Timestamp => {
                    let missing = || SignatureError::Missing(self.hook.signature_header.clone(), "expected `t=` in it");
                    signed.extend_from_slice(time.ok_or_else(missing)?.as_bytes());
                }
            }
        }
        Ok(signed)
    }

    /// What should have been signed, as the setting writes it.
    fn said(&self, parts: &[SignedPart<'_>]) -> String {
        let part = |part: &SignedPart<'_>| match part {
            SignedPart::Text(text) => safe(text).into_owned(),
            SignedPart::Body => "{body}".to_owned(),
            SignedPart::Timestamp => "{timestamp}".to_owned(),
            SignedPart::Id => "{id}".to_owned(),
            SignedPart::Hook => "{hook}".to_owned(),
        };
        parts.iter().map(part).collect()
    }

    fn is_fresh(&self, timestamp: &str, now: DateTime<Utc>) -> Result<(), SignatureError> {
        let said = safe(timestamp).into_owned();
        let at_ms = since_1970_ms(timestamp, None).map_err(|error| SignatureError::Time(said.clone(), error))?;
        let (away_ms, tolerance_ms) = ((now.timestamp_millis() - at_ms).abs(), self.hook.timestamp_tolerance_ms);
        if away_ms.unsigned_abs() > tolerance_ms {
            return Err(SignatureError::Stale(said, away_ms / 1_000, tolerance_ms / 1_000));
        }
        Ok(())
    }
}

fn is_tag(hash: Hash, key: &[u8], signed: &[u8], tag: &[u8]) -> bool {
    match hash {
        Hash::Sha256 => is_mac::<Hmac<Sha256>>(key, signed, tag),
        Hash::Sha512 => is_mac::<Hmac<Sha512>>(key, signed, tag),
    }
}

fn is_mac<M: Mac + KeyInit>(key: &[u8], signed: &[u8], tag: &[u8]) -> bool {
    // Keys of every length are taken.
    let Ok(mut mac) = <M as KeyInit>::new_from_slice(key) else { return false };
    mac.update(signed);
    mac.verify_slice(tag).is_ok()
}

#[cfg(test)]
#[path = "signature_tests.rs"]
mod tests;
