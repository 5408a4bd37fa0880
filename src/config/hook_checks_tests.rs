//! Hooks as they are set, and what is wrong with them.

use super::*;

const HOOK: &str = r#"
    [hooks.billing]
    secret = "s3cret-of-billing"
    action = "/event"
    create = ["address.added"]
    revoke = ["address.removed"]
    fields = { server_id = "/service/server~1id", ip_address = "/ip" }
"#;

fn read(text: &str) -> Result<Settings, ConfigError> {
    let mut settings: Settings = toml::from_str(text).expect("settings");
    settings.read_hook_secrets()?;
    settings.validate()?;
    Ok(settings)
}

#[test]
fn a_hook_is_taken_and_its_secret_never_printed() {
    let settings = read(HOOK).expect("taken");
    let printed = format!("{settings:?} {}", toml::to_string(&settings).expect("TOML"));
    assert!(!printed.contains("s3cret-of-billing"), "{printed}");
    assert_eq!(settings.hooks["billing"].signature_header, "X-Signature-256");
}

#[test]
fn a_secret_can_stand_in_a_file() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), "from a file\n").expect("written");
    let named = format!("secret_file = {:?}", file.path());
    let settings = read(&HOOK.replace("secret = \"s3cret-of-billing\"", &named)).expect("taken");
    assert_eq!(settings.hooks["billing"].secret.reveal(), "from a file");
    let error =
        read(&HOOK.replace("secret = \"s3cret-of-billing\"", "secret_file = \"/no/such\"")).expect_err("refused");
    assert_eq!(error.to_string(), "hooks.billing.secret_file: cannot read the file that it names");
}

#[test]
fn the_secret_before_counts_while_it_is_changed() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), "the one before\n").expect("written");
    let named = format!("previous_secret_file = {:?}\naction =", file.path());
    let settings = read(&HOOK.replace("action =", &named)).expect("taken");
    let keys = settings.hooks["billing"].keys().expect("keys");
    assert_eq!(keys, [b"s3cret-of-billing".to_vec(), b"the one before".to_vec()]);
    let printed = format!("{settings:?} {}", toml::to_string(&settings).expect("TOML"));
    assert!(!printed.contains("the one before"), "{printed}");
}

#[test]
fn what_cannot_work_is_named_at_start() {
    for (good, bad, expected) in [
        ("hooks.billing", "hooks.\"a b\"", "hooks.a b: the name"),
        ("s3cret-of-billing", "", "hooks.billing.secret: must be set"),
        ("action =", "secret_encoding = \"base64\"\naction =", "hooks.billing.secret: is not base64"),
        (
            "action =",
            "previous_secret_file = \"/no/such\"\naction =",
            "hooks.billing.previous_secret_file: cannot read",
        ),
        ("action =", "signature_header = \"X Y\"\naction =", "hooks.billing.signature_header: is not a"),
        ("action =", "timestamp_header = \"X Y\"\naction =", "hooks.billing.timestamp_header: is not a"),
        ("action =", "time_zone = \"Europe/Berlin\"\naction =", "hooks.billing.time_zone: expected UTC, or"),
        ("action =", "signed = \"{url}{body}\"\naction =", "hooks.billing.signed: `{url}` is unknown"),
        ("action =", "signed = \"{id}.{body}\"\naction =", "hooks.billing.signed: holds {id}"),
        ("action =", "id_header = \"X-Id\"\naction =", "hooks.billing.id_header: is not signed"),
        (
            "action =",
            "signed = \"{body}\"\ntimestamp_header = \"X-T\"\naction =",
            "hooks.billing.timestamp_header: is not signed",
        ),
        ("action =", "move = [\"address.moved\"]\naction =", "hooks.billing.fields.to_server_id: must be set"),
        ("\"/event\"", "\"\"", "hooks.billing.action: must be set"),
        ("\"/event\"", "\"event\"", "hooks.billing.action: `event` is not a valid JSON pointer"),
        ("/server~1id", "/server~id", "hooks.billing.fields.server_id: `/service/server~id` is not"),
        (", ip_address = \"/ip\"", "", "hooks.billing.fields.ip_address: must be set, or `subnet`"),
        ("\"/ip\"", "\"/ip\", issued_at = \"at\"", "hooks.billing.fields.issued_at: `at` is not"),
        ("[\"address.removed\"]", "[\"address.added\"]", "hooks.billing.create: `address.added` is in `revoke` too"),
    ] {
        assert!(HOOK.contains(good), "{good}");
        let error = read(&HOOK.replacen(good, bad, 1)).expect_err(expected).to_string();
        assert!(error.starts_with(expected), "{error}");
    }
    let neither = HOOK.replace("[\"address.added\"]", "[]").replace("[\"address.removed\"]", "[]");
    let error = read(&neither).expect_err("refused").to_string();
    assert!(error.starts_with("hooks.billing.create: name a value"), "{error}");
}

#[test]
fn two_hooks_have_one_secret_only_where_both_have_their_names_signed() {
    let second = HOOK.replace("hooks.billing", "hooks.panel");
    let both = format!("{HOOK}{second}");
    let error = read(&both).expect_err("refused").to_string();
    assert!(error.starts_with("hooks.panel.secret: is also the secret of hooks.billing"), "{error}");
    let signed = |text: &str| text.replace("action =", "signed = \"{hook}.{body}\"\naction =");
    assert!(read(&format!("{HOOK}{}", signed(&second))).is_err());
    assert!(read(&signed(&both)).is_ok());
    let before = second.replace("secret = ", "secret = \"another\"\n    previous_secret = ");
    assert!(read(&format!("{HOOK}{before}")).is_err(), "the secret before counts too");
    assert!(read(&format!("{HOOK}{}", second.replace("s3cret-of-billing", "another"))).is_ok());
    // One key, written in two ways.
    let encoded = second.replace("s3cret-of-billing", "whsec_czNjcmV0LW9mLWJpbGxpbmc=");
    let encoded = encoded.replace("action =", "secret_encoding = \"base64\"\naction =");
    assert!(read(&format!("{HOOK}{encoded}")).is_err());
}

#[test]
fn all_that_a_hook_may_say_is_taken_together() {
    let more = "secret_encoding = \"base64\"\nsigned = \"{id}.{timestamp}.{body}\"\nid_header = \"webhook-id\"\n\
                timestamp_header = \"webhook-timestamp\"\ntime_zone = \"UTC\"\nmove = [\"address.moved\"]\naction =";
    let text = HOOK.replace("s3cret-of-billing", "whsec_AAECAw==").replacen("action =", more, 1);
    let settings = read(&text.replace("\"/ip\"", "\"/ip\", to_server_id = \"/to\"")).expect("taken");
    let hook = &settings.hooks["billing"];
    assert_eq!(hook.keys(), Some(vec![vec![0, 1, 2, 3]]));
    assert_eq!(hook.offset(), FixedOffset::east_opt(0));
}
