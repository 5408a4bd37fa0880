//! The signature of Standard Webhooks: HMAC with SHA-256 (RFC 2104) of id, time and body, in base64 behind `v1,`
//! (<https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>). Pure.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::domain::WebhookSecret;

/// The header: a signature for each secret, separated by blanks, as receivers take it while a secret is changed. Empty where
/// no secret can sign.
pub(super) fn sign(secrets: &[&WebhookSecret], id: &str, timestamp: i64, body: &str) -> String {
    let head = format!("{id}.{timestamp}.");
    let signatures = secrets.iter().filter_map(|secret| {
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&secret.key()?).ok()?;
        mac.update(head.as_bytes());
        mac.update(body.as_bytes());
        Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
    });
    signatures.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vector in the tests of the standard's own libraries (<https://github.com/standard-webhooks/standard-webhooks>,
    /// `libraries/`, "sign function").
    #[test]
    fn the_published_example_has_the_published_signature() {
        let secret = WebhookSecret::stored("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned());
        let (id, body) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", r#"{"test": 2432232314}"#);
        let published = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(sign(&[&secret], id, 1_614_265_330, body), published);
        assert_eq!(sign(&[&secret, &secret], id, 1_614_265_330, body), format!("{published} {published}"));
        assert_eq!(sign(&[&WebhookSecret::stored("nothing".to_owned())], id, 1_614_265_330, body), "");
    }
}
