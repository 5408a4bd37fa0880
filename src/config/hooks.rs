//! The hooks of the settings: secrets read from their files, mappings checked before anything is taken by them.

use super::load::from_file;
use super::settings::HookFields;
use super::{ConfigError, HookSettings, Secret, Settings};

/// Longest name of a hook, characters; it begins the ids of its commands.
const NAME_CHARS_MAX: usize = 40;

impl Settings {
    /// Reads the secrets that stand in files.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub(super) fn read_hook_secrets(&mut self) -> Result<(), ConfigError> {
        for (name, hook) in self.hooks.iter_mut().filter(|(_, hook)| !hook.secret_file.as_os_str().is_empty()) {
            hook.secret = Secret::new(from_file(&format!("hooks.{name}.secret_file"), &hook.secret_file)?);
        }
        Ok(())
    }

    /// Checks every hook.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] for the first setting that cannot be used, by its whole name.
    pub(super) fn validate_hooks(&self) -> Result<(), ConfigError> {
        let problems = self.hooks.iter().filter_map(|(name, hook)| Some((name, problem(name, hook)?)));
        match problems.into_iter().next() {
            None => Ok(()),
            Some((name, (key, problem))) => {
                Err(ConfigError::Invalid { setting: format!("hooks.{name}{key}"), problem })
            }
        }
    }
}

/// What is wrong with a hook, and with which of its keys.
fn problem(name: &str, hook: &HookSettings) -> Option<(String, String)> {
    let in_both = hook.create.iter().find(|value| hook.revoke.contains(value));
    let both = in_both.map(|value| format!("`{value}` stands in `revoke` too: it cannot mean both"));
    let rules = [
        ("", !is_name(name), "the name of a hook has letters, digits, `-` and `_`, at most 40".to_owned()),
        (
            ".secret",
            hook.secret.is_empty(),
            "must be set, here or by `secret_file`: deliveries are signed with it".to_owned(),
        ),
        (".signature_header", !is_token(&hook.signature_header), "is no name of a header".to_owned()),
        (
            ".create",
            hook.create.is_empty() && hook.revoke.is_empty(),
            "name a value of `action` here or in `revoke`".to_owned(),
        ),
        (".create", both.is_some(), both.unwrap_or_default()),
    ];
    let broken = rules.into_iter().find(|(_, broken, _)| *broken);
    let broken = broken.map(|(key, _, problem)| (key.to_owned(), problem));
    broken.or_else(|| pointers(hook).into_iter().find_map(|pointer| pointer.problem()))
}

/// A pointer of a hook.
struct Pointer<'a> {
    key: &'static str,
    text: &'a str,
    required: bool,
}

impl Pointer<'_> {
    fn problem(&self) -> Option<(String, String)> {
        let problem = match self.text {
            "" if self.required => "must be set: a JSON pointer such as /data/id".to_owned(),
            "" => return None,
            text if is_pointer(text) => return None,
            text => format!(
                "`{text}` is no JSON pointer (RFC 6901) such as /data/id: each part begins with `/`, `~` is `~0`"
            ),
        };
        Some((self.key.to_owned(), problem))
    }
}

fn pointers(hook: &HookSettings) -> [Pointer<'_>; 7] {
    let HookFields { server_id, ip_address, message_id, issued_at, reference, vlan_name } = &hook.fields;
    [
        (".action", &hook.action, true),
        (".fields.server_id", server_id, true),
        (".fields.ip_address", ip_address, true),
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
mod tests {
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
    fn what_cannot_work_is_named_at_start() {
        for (good, bad, expected) in [
            ("hooks.billing", "hooks.\"a b\"", "hooks.a b: the name"),
            ("s3cret-of-billing", "", "hooks.billing.secret: must be set"),
            ("action =", "signature_header = \"X Y\"\naction =", "hooks.billing.signature_header: is no name"),
            ("\"/event\"", "\"\"", "hooks.billing.action: must be set"),
            ("\"/event\"", "\"event\"", "hooks.billing.action: `event` is no JSON pointer"),
            ("/server~1id", "/server~id", "hooks.billing.fields.server_id: `/service/server~id` is no"),
            (", ip_address = \"/ip\"", "", "hooks.billing.fields.ip_address: must be set"),
            ("\"/ip\"", "\"/ip\", issued_at = \"at\"", "hooks.billing.fields.issued_at: `at` is no"),
            ("[\"address.removed\"]", "[\"address.added\"]", "hooks.billing.create: `address.added` stands in"),
        ] {
            assert!(HOOK.contains(good), "{good}");
            let error = read(&HOOK.replacen(good, bad, 1)).expect_err(expected).to_string();
            assert!(error.starts_with(expected), "{error}");
        }
        let neither = HOOK.replace("[\"address.added\"]", "[]").replace("[\"address.removed\"]", "[]");
        let error = read(&neither).expect_err("refused").to_string();
        assert!(error.starts_with("hooks.billing.create: name a value"), "{error}");
    }
}
