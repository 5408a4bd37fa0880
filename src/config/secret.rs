//! Values that never print.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

/// A secret: only [`Secret::reveal`] gives it away; every way of printing it shows `***`.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a value.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself, for the one place that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// True when nothing was set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_empty() { "" } else { "***" })
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{self:?}"))
    }
}

/// The URL of a service; printed with its password as `***`.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct ServiceUrl(String);

impl ServiceUrl {
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
}

impl fmt::Display for ServiceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((scheme, rest)) = self.0.split_once("://") else {
            return f.write_str(if self.is_empty() { "" } else { "***" });
        };
        // The last `@` before the path ends the login, whatever stands in the password.
        let (login, place) = match rest.split('/').next().unwrap_or("").rfind('@') {
            Some(at) => rest.split_at(at),
            None => ("", rest),
        };
        let user = login.split(':').next().unwrap_or("");
        let hidden = if login.contains(':') { ":***" } else { "" };
        let query_free = place.split('?').next().unwrap_or("");
        write!(f, "{scheme}://{user}{hidden}{query_free}")
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
    use super::*;

    #[test]
    fn no_way_of_printing_shows_the_secret() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret:?}"), "***");
        assert_eq!(serde_json::to_string(&secret).expect("JSON"), "\"***\"");
    }

    #[test]
    fn a_url_prints_without_its_password_and_query() {
        for (url, shown) in [
            ("amqp://guest:s3@cret@mq:5672/vhost", "amqp://guest:***@mq:5672/vhost"),
            ("postgres://vmacd:pw@db/wsh_infra?password=pw", "postgres://vmacd:***@db/wsh_infra"),
            ("postgres://vmacd@db/wsh_infra", "postgres://vmacd@db/wsh_infra"),
            ("sqlite://vmacd.db", "sqlite://vmacd.db"),
            ("s3cret", "***"),
        ] {
            assert_eq!(ServiceUrl::new(url).to_string(), shown);
        }
    }
}
