//! Signatures of known senders, and what nobody may pass off as one.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use proptest::prelude::*;

use super::*;
use crate::config::{Secret, SecretEncoding};

const HEADER: &str = "x-signature-256";

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_764_324_000, 0).expect("a time")
}

fn hook(secret: &str) -> HookSettings {
    HookSettings { secret: Secret::new(secret), ..HookSettings::default() }
}

fn check(hook: &HookSettings, headers: &[(&str, &str)], body: &str) -> Result<Option<String>, SignatureError> {
    let header = |(name, value): &(&str, &str)| {
        Some((name.parse::<HeaderName>().expect("a name"), HeaderValue::from_str(value).ok()?))
    };
    let headers: HeaderMap = headers.iter().filter_map(header).collect();
    Check { name: "billing", hook, headers: &headers, body: body.as_bytes() }.run(now())
}

fn tag<M: Mac + KeyInit>(key: &[u8], signed: &str) -> Vec<u8> {
    let mut mac = <M as KeyInit>::new_from_slice(key).expect("any length");
    mac.update(signed.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn sign(secret: &str, signed: &str) -> String {
    hex::encode(tag::<Hmac<Sha256>>(secret.as_bytes(), signed))
}

#[test]
fn while_a_secret_is_changed_deliveries_under_either_are_right() {
    let changing = HookSettings { previous_secret: Secret::new("before"), ..hook("s3cret") };
    for secret in ["s3cret", "before"] {
        assert_eq!(check(&changing, &[(HEADER, &sign(secret, "{}"))], "{}"), Ok(None), "{secret}");
    }
    for (hook, secret) in [(&changing, "another"), (&changing, ""), (&hook("s3cret"), "before")] {
        let refused = check(hook, &[(HEADER, &sign(secret, "{}"))], "{}");
        assert!(matches!(refused, Err(SignatureError::Wrong(..))), "{secret}: {refused:?}");
    }
}

#[test]
fn the_signatures_of_the_standard_are_right() {
    // RFC 4231, test case 2.
    for tag in [
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        "sha256= 5BDCC146BF60754E6A042426089575C75A003F089D2739839DEC58B964EC3843",
        "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=",
        "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
    ] {
        let checked = check(&hook("Jefe"), &[(HEADER, tag)], "what do ya want for nothing?");
        assert_eq!(checked, Ok(None), "{tag}");
    }
}

#[test]
fn the_signature_of_standard_webhooks_is_right_with_its_id_and_time() {
    let hook = HookSettings {
        secret_encoding: SecretEncoding::Base64,
        signature_header: "webhook-signature".to_owned(),
        signed: "{id}.{timestamp}.{body}".to_owned(),
        id_header: "webhook-id".to_owned(),
        timestamp_header: "webhook-timestamp".to_owned(),
        ..hook("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    };
    let key = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("base64");
    let shown = |signed: &str| format!("v1,AAAA v1,{}", STANDARD.encode(tag::<Hmac<Sha256>>(&key, signed)));
    let (right, id, time) =
        (shown("msg_1.1764324000.{}"), ("webhook-id", "msg_1"), ("webhook-timestamp", "1764324000"));
    let signature = ("webhook-signature", right.as_str());
    assert_eq!(check(&hook, &[signature, id, time], "{}"), Ok(Some("msg_1".to_owned())));
    for (headers, expected) in [
        (vec![signature, ("webhook-id", "msg_2"), time], "something other than {id}.{timestamp}.{body} was signed"),
        (vec![signature, id, ("webhook-timestamp", "1764324001")], "is wrong"),
        (vec![signature, time], "the header webhook-id is missing"),
        (vec![signature, id], "the header webhook-timestamp is missing"),
        (vec![id, time], "the header webhook-signature is missing"),
    ] {
        let error = check(&hook, &headers, "{}").expect_err("refused").to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_time_in_the_header_of_the_signature_is_signed_and_counts() {
    let (hook, body) = (hook("s3cret"), r#"{"id": 1}"#);
    let delivered = |time: &str| {
        let shown = format!("t={time},v1={}", sign("s3cret", &format!("{time}.{body}")));
        check(&hook, &[(HEADER, &shown)], body)
    };
    for time in ["1764324000", "1764323700", "1764324300", "1764324000123", "2025-11-28T10:00:00Z"] {
        assert_eq!(delivered(time), Ok(None), "{time}");
    }
    for time in ["1764323699", "1764324301", "1764320000000"] {
        let error = delivered(time).expect_err("refused");
        assert!(matches!(error, SignatureError::Stale(..)), "{time}: {error}");
    }
    assert!(matches!(delivered("soon"), Err(SignatureError::Time(..))));
    // The time is signed: without it, or with another, the signature is another one.
    let signature = sign("s3cret", &format!("1764324000.{body}"));
    for shown in [signature.clone(), format!("t=1764324001,v1={signature}")] {
        assert!(matches!(check(&hook, &[(HEADER, &shown)], body), Err(SignatureError::Wrong(..))), "{shown}");
    }
    let other = HookSettings { timestamp_tolerance_ms: 1_000, ..hook.clone() };
    let shown = format!("t=1764323998,v1={}", sign("s3cret", &format!("1764323998.{body}")));
    assert!(matches!(check(&other, &[(HEADER, &shown)], body), Err(SignatureError::Stale(_, 2, 1))));
}

#[test]
fn a_hook_that_asks_for_a_time_or_for_its_name_takes_no_signature_without() {
    let timed = HookSettings { signed: "v0:{timestamp}:{body}".to_owned(), ..hook("s3cret") };
    let body_alone = sign("s3cret", "{}");
    assert!(matches!(check(&timed, &[(HEADER, &body_alone)], "{}"), Err(SignatureError::Missing(..))));
    let named = HookSettings { signed: "{hook}.{body}".to_owned(), ..hook("s3cret") };
    assert_eq!(check(&named, &[(HEADER, &sign("s3cret", "billing.{}"))], "{}"), Ok(None));
    for signed in ["{}", "panel.{}", ".{}"] {
        let checked = check(&named, &[(HEADER, &sign("s3cret", signed))], "{}");
        assert!(matches!(checked, Err(SignatureError::Wrong(..))), "{signed}");
    }
}

#[test]
fn a_header_that_holds_nothing_readable_is_told_from_a_wrong_signature() {
    let hook = hook("s3cret");
    for shown in ["sha1=0beec7b5ea3f0fdbc95d0dd47f3c5bc275da8a33", "zz", "sha256=", "sha256=abcd"] {
        assert!(matches!(check(&hook, &[(HEADER, shown)], "{}"), Err(SignatureError::Form(_))), "{shown}");
    }
    assert!(matches!(check(&hook, &[(HEADER, &sign("other", "{}"))], "{}"), Err(SignatureError::Wrong(..))));
    assert!(matches!(check(&hook, &[], "{}"), Err(SignatureError::Missing(..))));
}

proptest! {
    #[test]
    fn only_the_secret_and_the_very_body_make_the_signature(
        secret in ".{1,40}", body in "[ -~]{1,200}", at in any::<prop::sample::Index>()
    ) {
        let shown = sign(&secret, &body);
        let headers = [(HEADER, shown.as_str())];
        prop_assert!(check(&hook(&secret), &headers, &body).is_ok());
        prop_assert!(check(&hook(&[secret.as_str(), "x"].concat()), &headers, &body).is_err());
        let mut other = body.into_bytes();
        let at = at.index(other.len());
        other[at] ^= 1;
        prop_assert!(check(&hook(&secret), &headers, &String::from_utf8(other).expect("ASCII")).is_err());
    }

    #[test]
    fn no_header_makes_the_check_panic(shown in any::<String>()) {
        prop_assert!(check(&hook("secret"), &[(HEADER, &shown)], "body").is_err());
    }
}
