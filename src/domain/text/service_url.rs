//! The URL of a service: its password never prints.
//!
//! Only what is certain is shown. A password that holds a `/`, `?`, `#` or `@` as it is ends the login early, and the rest of it
//! would be taken for host, path or query. So a URL in which anything is unclear is shown as `***` as a whole, and
//! [`ServiceUrl::check`] refuses it without repeating any of it.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

/// The URL of a service; printed with its password as `***` and without its query.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct ServiceUrl(String);

/// Why a URL cannot be used. Repeats nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// It does not begin with a scheme that is known here.
    #[error("expected a URL that begins with {expected}")]
    Scheme {
        /// What it may begin with.
        expected: &'static str,
    },
    /// A character that separates the parts of a URL stands where it cannot.
    #[error(
        "the user, the password or a parameter holds a `/`, `?`, `#` or `@` that is not percent-encoded: write %2F for `/`, \
         %3F for `?`, %23 for `#`, %40 for `@`, %25 for `%`"
    )]
    Unescaped,
    /// Host or port cannot be read, perhaps because the login ended early.
    #[error(
        "the host or the port cannot be read; a `/`, `?`, `#` or `@` in the password must be percent-encoded: %2F, %3F, %23, %40"
    )]
    Host,
    /// Of URLs separated by commas one is not whole, perhaps because the `,` belongs to a password.
    #[error(
        "expected whole URLs separated by commas, all with a login or none of them; a `,` within a user, a password or a path must be \
         percent-encoded: %2C"
    )]
    List,
    /// A control character.
    #[error("it holds a line break or another control character: percent-encode it")]
    Control,
}

impl ServiceUrl {
    /// Schemes that are shown; before any other `://` a password may stand.
    pub(super) const SCHEMES: &[&str] = &["sqlite", "postgres", "postgresql", "amqp", "amqps", "http"];

    /// Wraps a URL.
    pub fn new(url: impl Into<String>) -> Self {
        Self(url.into())
    }

    /// The URL with its password.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// True when none was set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The scheme, where it is one of those that are known.
    pub fn scheme(&self) -> Option<&'static str> {
        let (scheme, _) = self.0.split_once("://")?;
        Self::SCHEMES.iter().copied().find(|known| *known == scheme)
    }

    /// True where it has a user or a password, as far as its parts are certain.
    pub fn has_login(&self) -> bool {
        Parts::of(&self.0).is_ok_and(|parts| parts.has_password || !parts.user.is_empty())
    }

    /// Checks that the URL has one of these schemes and that its parts are certain. `expected` says to people what it may
    /// begin with.
    ///
    /// # Errors
    /// [`UrlError`].
    pub fn check(&self, schemes: &[&str], expected: &'static str) -> Result<(), UrlError> {
        match self.scheme() {
            Some(scheme) if schemes.contains(&scheme) => Parts::of(&self.0).map(|_| ()),
            _ => Err(UrlError::Scheme { expected }),
        }
    }
}

/// The parts of a URL that may be shown, and whether there is a password between them.
struct Parts<'a> {
    user: &'a str,
    has_password: bool,
    host: &'a str,
    path: &'a str,
}

impl<'a> Parts<'a> {
    fn of(url: &'a str) -> Result<Self, UrlError> {
        let (scheme, rest) = url.split_once("://").unwrap_or_default();
        if rest.contains(char::is_control) {
            return Err(UrlError::Control);
        }
        let (authority, rest) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let (login, host) = authority.rsplit_once('@').unwrap_or(("", authority));
        if rest.contains('@') || login.contains('@') {
            return Err(UrlError::Unescaped);
        }
        // What follows `sqlite://` is a path from its first character on.
        if scheme != "sqlite" && !host.split(',').all(is_place) {
            return Err(UrlError::Host);
        }
        let path = &rest[..rest.find(['?', '#']).unwrap_or(rest.len())];
        let (user, password) = login.split_once(':').map_or((login, None), |(user, password)| (user, Some(password)));
        Ok(Self { user, has_password: password.is_some(), host, path })
    }
}

/// A host with or without a port: a name, an address, an IPv6 address in brackets, an encoded path to a socket, or nothing.
fn is_place(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) if address.bytes().all(|byte| byte.is_ascii_hexdigit() || b":.".contains(&byte)) => {
            ("", port)
        }
        Some(_) => return false,
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    let is_port =
        |port: &str| port.strip_prefix(':').is_some_and(|port| port.is_empty() || port.parse::<u16>().is_ok());
    host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._%".contains(&byte))
        && (port.is_empty() || is_port(port))
}

impl fmt::Display for ServiceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.scheme(), Parts::of(&self.0)) {
            _ if self.is_empty() => Ok(()),
            (Some(scheme), Ok(Parts { user, has_password, host, path })) => {
                let hidden = if has_password { ":***" } else { "" };
                let at = if has_password || !user.is_empty() { "@" } else { "" };
                write!(f, "{scheme}://{user}{hidden}{at}{host}{path}")
            }
            _ => f.write_str("***"),
        }
    }
}

impl fmt::Debug for ServiceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Serialize for ServiceUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: &[&str] = ServiceUrl::SCHEMES;

    fn check(url: &str) -> Result<(), UrlError> {
        ServiceUrl::new(url).check(ALL, "a scheme")
    }

    #[test]
    fn a_url_prints_without_its_password_and_query() {
        for (url, shown) in [
            ("amqp://guest:s3cret@mq:5672/vhost", "amqp://guest:***@mq:5672/vhost"),
            ("amqp://guest:s3:cret@mq/%2f", "amqp://guest:***@mq/%2f"),
            ("amqps://:s3cret@[2001:db8::1]:5671/v", "amqps://:***@[2001:db8::1]:5671/v"),
            ("amqp://guest:%2Fs3%40cret@mq", "amqp://guest:***@mq"),
            ("postgres://vmacd:pw@db/wsh_infra?password=pw", "postgres://vmacd:***@db/wsh_infra"),
            ("postgres://vmacd:pw@db1:5432,db2:5432/wsh_infra", "postgres://vmacd:***@db1:5432,db2:5432/wsh_infra"),
            ("postgres://vmacd@db/wsh_infra", "postgres://vmacd@db/wsh_infra"),
            ("postgres://%2Frun%2Fpostgresql/db?user=u#f", "postgres://%2Frun%2Fpostgresql/db"),
            ("postgres:///db?host=/run/postgresql&sslpassword=pw", "postgres:///db"),
            ("sqlite://vmacd.db", "sqlite://vmacd.db"),
            ("sqlite:///var/lib/my vmacd.db?mode=ro", "sqlite:///var/lib/my vmacd.db"),
            ("sqlite://:memory:", "sqlite://:memory:"),
            ("http://127.0.0.1:4318", "http://127.0.0.1:4318"),
            ("", ""),
        ] {
            assert_eq!(ServiceUrl::new(url).to_string(), shown);
            assert!(url.is_empty() || check(url).is_ok(), "{url}: {:?}", check(url));
        }
    }

    #[test]
    fn what_is_not_certain_is_hidden_as_a_whole_and_refused() {
        for (url, problem) in [
            ("amqp://u:pa/ss@mq/v", UrlError::Unescaped),
            ("amqp://u:12/ss@mq/v", UrlError::Unescaped),
            ("amqp://u:12?ss@mq/v", UrlError::Unescaped),
            ("amqp://u:12#ss@mq/v", UrlError::Unescaped),
            ("amqp://u:pa@ss@mq/v", UrlError::Unescaped),
            ("amqp://u:pa@ss/w@rd@mq", UrlError::Unescaped),
            ("postgres://u@db/x?password=p@ss", UrlError::Unescaped),
            ("amqp://u:one@mq1,amqp://u:two@mq2", UrlError::Unescaped),
            ("amqp://u:secret", UrlError::Host),
            ("amqp://u:pa/ss", UrlError::Host),
            ("amqp://u:p@mq:port", UrlError::Host),
            ("amqp://u:p@[mq]:1", UrlError::Host),
            ("amqp://u:p@two words/", UrlError::Host),
            ("amqp://u:p\nw@mq", UrlError::Control),
            ("host=db user=u password=secret", UrlError::Scheme { expected: "a scheme" }),
            ("host=db password=a://b", UrlError::Scheme { expected: "a scheme" }),
            ("amqp:u:secret@mq", UrlError::Scheme { expected: "a scheme" }),
            (" amqp://u:secret@mq", UrlError::Scheme { expected: "a scheme" }),
            ("s3cret", UrlError::Scheme { expected: "a scheme" }),
            ("hunter2://x", UrlError::Scheme { expected: "a scheme" }),
        ] {
            assert_eq!(check(url), Err(problem), "{url}");
            assert_eq!(ServiceUrl::new(url).to_string(), "***", "{url}");
        }
        assert_eq!(ServiceUrl::new("mysql://u:p@db").check(ALL, "x"), Err(UrlError::Scheme { expected: "x" }));
        assert!(ServiceUrl::new("amqp://mq").check(&["sqlite"], "sqlite://FILE").is_err());
    }

    proptest! {
        /// The password has a mark at both ends, so that it cannot be a part of the rest by chance.
        #[test]
        fn no_password_is_ever_shown(
            password in "\u{b6}[ -~\u{e9}\n]{0,24}\u{b6}",
            form in 0usize..8,
            scheme in proptest::sample::select(ALL),
        ) {
            let url = match form {
                0 => format!("{scheme}://user:{password}@host:1/path"),
                1 => format!("{scheme}://:{password}@[::1]/path?x=y"),
                2 => format!("{scheme}://host/path?password={password}"),
                3 => format!("{scheme}://host/path?user=u&sslpassword={password}#f"),
                4 => format!("{scheme}://user:{password}@one,{scheme}://user:{password}@two"),
                5 => format!("host=db password={password}"),
                6 => format!("{password}://host"),
                _ => format!("{scheme}://user:{password}"),
            };
            prop_assume!(!(scheme == "sqlite" && form == 7));
            let url = ServiceUrl::new(url);
            let problem = url.check(ALL, "a scheme").err().map(|error| format!("{error} {error:?}"));
            let json = serde_json::to_string(&url).expect("JSON");
            let shown = format!("{url} {url:?} {json} {problem:?}");
            for part in password.split(|of: char| !of.is_alphanumeric()).filter(|part| part.len() > 4) {
                prop_assert!(!shown.contains(part), "{} shows {}", shown, part);
            }
            prop_assert!(!shown.contains('\u{b6}'), "{}", shown);
        }
    }
}
